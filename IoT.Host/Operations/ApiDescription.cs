using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Scalar.AspNetCore;

namespace IoT.Host.Operations;

/// <summary>OpenAPI at <c>/openapi/v1.json</c> and a page to browse it at <c>/docs</c>, all served from here.</summary>
internal static class ApiDescription
{
    public static void AddApiDescription(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(json => Json.Configure(json.SerializerOptions));
        services.AddProblemDetails();
        services.AddOpenApi("v1", options => options
            .AddDocumentTransformer((document, _, _) =>
            {
                document.Info.Title = "IoT platform";
                document.Info.Description = "Readings in, history and devices out. Errors are RFC 9457 problem details.";
                document.Servers = [];
                return Task.CompletedTask;
            })
            .AddOperationTransformer(DescribeBodyAsync));
    }

    private static async Task DescribeBodyAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<JsonBody>().FirstOrDefault() is not { } body)
            return;
        var schema = await context.GetOrCreateSchemaAsync(body.Type, cancellationToken: cancellationToken);
        operation.RequestBody = new OpenApiRequestBody
        {
            Required = true,
            Content = body.ContentTypes.ToDictionary(type => type, _ => new OpenApiMediaType { Schema = schema }),
        };
    }

    public static void MapApiDescription(this WebApplication app)
    {
        app.MapOpenApi().RequireAuthorization(Policies.View);
        app.MapScalarApiReference("/docs", options => options
                .WithTitle("IoT platform API")
                .WithOpenApiRoutePattern("/openapi/v1.json")
                .DisableDefaultFonts()
                .DisableTelemetry()
                .DisableAgent()
                .DisableMcp()
                // Both lead to other hosts.
                .HideDeveloperTools()
                .HideClientButton()
                .WithFavicon("/favicon.svg")
                .AddHeaderContent("<p style=\"padding: 10px 20px; font: 14px system-ui, sans-serif\"><a href=\"/\">&larr; IoT platform</a></p>"))
            .RequireAuthorization(Policies.View);
    }
}
