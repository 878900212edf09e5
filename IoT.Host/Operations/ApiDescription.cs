using IoT.Modules.Storage.Contracts;
using Scalar.AspNetCore;

namespace IoT.Host.Operations;

/// <summary>OpenAPI at <c>/openapi/v1.json</c> and a page to browse it at <c>/docs</c>, all served from here.</summary>
internal static class ApiDescription
{
    public static void AddApiDescription(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(json => Json.Configure(json.SerializerOptions));
        services.AddProblemDetails();
        services.AddOpenApi("v1", options => options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "IoT platform";
            document.Info.Description = "Readings in, history and devices out. Errors are RFC 9457 problem details.";
            document.Servers = [];
            return Task.CompletedTask;
        }));
    }

    public static void MapApiDescription(this WebApplication app)
    {
        app.MapOpenApi().RequireAuthorization(Policies.View);
        app.MapScalarApiReference("/docs", options => options
                .WithTitle("IoT platform API")
                .WithOpenApiRoutePattern("/openapi/v1.json")
                .DisableDefaultFonts()
                .DisableTelemetry()
                .DisableAgent())
            .RequireAuthorization(Policies.View);
    }
}
