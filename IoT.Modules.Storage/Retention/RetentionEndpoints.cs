using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.Retention;

internal static class RetentionEndpoints
{
    private const int MaxEvents = 1_000;

    /// <summary>What a dry run may be asked with instead of the settings.</summary>
    internal sealed record DryRunBody(int? RetentionDays, int? ReadingsMib);

    public static void MapRetention(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("").WithTags("Storage");
        group.MapGet("/partitions", async (IMediator mediator, string? table, CancellationToken stop) =>
                (await mediator.Send(new ListPartitions(table ?? ListPartitions.Tables[0]), stop)).ToResult())
            .RequireAuthorization(Policies.View)
            .Produces<Page<PartitionInfo>>().ProducesProblem(400)
            .WithSummary("The partitions of device_data, oldest first; table: device_summary_5m, device_summary_hour");
        group.MapPost("/retention:dry-run", async (IMediator mediator, HttpRequest request, CancellationToken stop) =>
            {
                var body = request.HttpContext.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true }
                    ? await Json.ReadBodyAsync<DryRunBody>(request)
                    : new DryRunBody(null, null);
                return body.Failure is { } failure ? failure.ToResult() : (await mediator.Send(new PlanRetention(body.Value.RetentionDays, body.Value.ReadingsMib), stop)).ToResult();
            })
            .RequireAuthorization(Policies.View)
            .WithMetadata(new JsonBody(typeof(DryRunBody), "application/json")).Produces<RetentionPlan>().ProducesProblem(400)
            .WithSummary("What retention would drop now, with its settings or those in the body");
        group.MapPost("/retention:run", async (IMediator mediator, CancellationToken stop) => (await mediator.Send(new RunRetention(), stop)).ToResult())
            .RequireAuthorization(Policies.Administer)
            .Produces<Page<PartitionToDrop>>()
            .WithSummary("Drops now what retention would drop at its next turn; answers what is gone");
        group.MapGet("/storage/events", async (IMediator mediator, int? limit, CancellationToken stop) =>
                (await mediator.Send(new ListStorageEvents(Math.Clamp(limit ?? 100, 1, MaxEvents)), stop)).ToResult())
            .RequireAuthorization(Policies.View)
            .Produces<Page<StorageEvent>>()
            .WithSummary("What was done to partitions, newest first");
    }
}
