using System.Globalization;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Storage.Summaries;

internal static class SummarySetup
{
    private const int DefaultLimit = 1_000;
    private const int MaxLimit = 10_000;

    internal static readonly Dictionary<string, SummaryBucketWidth> Widths = new(StringComparer.Ordinal)
    {
        ["5m"] = SummaryBucketWidth.FiveMinutes,
        ["hour"] = SummaryBucketWidth.Hour,
        ["day"] = SummaryBucketWidth.Day,
    };

    public static void AddSummaries(this IServiceCollection services)
    {
        services.AddSingleton<SummaryPartitions>();
        services.AddSingleton<SummaryTables>();
        services.AddSingleton<PendingSummaries>();
        services.AddSingleton<SummaryRebuild>();
        services.AddSingleton<SummaryFolder>();
        services.AddHostedService(provider => provider.GetRequiredService<SummaryFolder>());
    }

    public static void MapSummaries(this IEndpointRouteBuilder api)
    {
        api.MapGet("/devices/{id}/summary", SummaryAsync).WithTags("Readings").RequireAuthorization(Policies.View)
            .Produces<Page<SummaryBucket>>().ProducesProblem(400).ProducesProblem(404)
            .WithSummary("Count, average, smallest, largest, first and last of each number in the payload, by bucket (hour, 5m, day), oldest first");
        var group = api.MapGroup("").WithTags("Storage");
        group.MapGet("/summaries", async (IMediator mediator, CancellationToken stop) => Results.Json(await mediator.Send(new GetSummaryStatus(), stop), Json.Options))
            .RequireAuthorization(Policies.View).Produces<SummaryStatus>()
            .WithSummary("Whether the summaries have every reading");
        group.MapPost("/summaries:rebuild", async (IMediator mediator, CancellationToken stop) => (await mediator.Send(new RebuildSummaries(), stop)).ToResult(StatusCodes.Status202Accepted))
            .RequireAuthorization(Policies.Administer).Produces<SummaryStatus>(202).ProducesProblem(409)
            .WithSummary("Makes the summaries anew from the readings that there are, in the background");
        group.MapPost("/summaries:fold", FoldAsync).RequireAuthorization(Policies.Administer).Produces(204)
            .WithSummary("Writes what is pending into the tables of summaries now, instead of within a minute");
    }

    private static async Task<IResult> FoldAsync(IMediator mediator, CancellationToken stop) =>
        await mediator.Send(new FoldSummaries(), stop) is { Failure: { } failure } ? failure.ToResult() : Results.NoContent();

    private static async Task<IResult> SummaryAsync(
        IMediator mediator, string id, string? from, string? to, string? data_type, string? metric, string? bucket, string? limit, string? cursor, CancellationToken stop)
    {
        var errors = new Dictionary<string, string[]>();
        var start = ReadingEndpoints.Time("from", from, errors);
        var end = ReadingEndpoints.Time("to", to, errors);
        if (!Widths.TryGetValue(bucket ?? "hour", out var width))
            errors["bucket"] = [$"one of {string.Join(", ", Widths.Keys)}"];
        foreach (var (name, value) in new[] { ("data_type", data_type), ("metric", metric) })
        {
            if (value?.Contains('\0', StringComparison.Ordinal) == true)
                errors[name] = ["must not hold NUL"];
        }
        var count = DefaultLimit;
        if (limit is not null && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > MaxLimit))
            errors["limit"] = [$"1 to {MaxLimit}"];
        SummaryCursor? after = null;
        if (cursor is not null)
        {
            if (SummaryCursor.TryParse(cursor, out var parsed))
                after = parsed;
            else
                errors["cursor"] = ["not a cursor of this list"];
        }
        return errors.Count > 0
            ? new Failure(FailureKind.Invalid, string.Join("; ", errors.Select(e => $"{e.Key}: {e.Value[0]}")), errors).ToResult()
            : (await mediator.Send(new GetSummary(id, start, end, data_type, metric, width, after, count), stop)).ToResult();
    }
}

internal sealed class GetSummaryStatusHandler(SummaryRebuild rebuild, StorageOptions options) : IRequestHandler<GetSummaryStatus, SummaryStatus>
{
    public Task<SummaryStatus> Handle(GetSummaryStatus request, CancellationToken cancellationToken) => Task.FromResult(rebuild.Status(options.Summaries));
}

internal sealed class RebuildSummariesHandler(SummaryRebuild rebuild, StorageOptions options) : IRequestHandler<RebuildSummaries, Outcome<SummaryStatus>>
{
    public Task<Outcome<SummaryStatus>> Handle(RebuildSummaries request, CancellationToken cancellationToken) =>
        Task.FromResult<Outcome<SummaryStatus>>(rebuild.TryAsk()
            ? rebuild.Status(options.Summaries)
            : new Failure(FailureKind.Conflict, "The summaries are being made anew already: GET /api/v1/summaries says how far that is."));
}

internal sealed class FoldSummariesHandler(SummaryFolder folder) : IRequestHandler<FoldSummaries, Outcome<Done>>
{
    public async Task<Outcome<Done>> Handle(FoldSummaries request, CancellationToken cancellationToken)
    {
        await folder.FoldAsync(cancellationToken);
        return default(Done);
    }
}

/// <summary>Degraded while summaries lack readings or can't be folded.</summary>
internal sealed class SummaryHealth(SummaryFolder folder, SummaryRebuild rebuild, StorageOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var status = rebuild.Status(options.Summaries);
        return Task.FromResult(folder.Trouble is { } trouble
            ? HealthCheckResult.Degraded($"Summaries can't be brought up to date now: {trouble}")
            : status.State switch
            {
                "incomplete" => HealthCheckResult.Degraded("Summaries lack readings: POST /api/v1/summaries:rebuild makes them anew"),
                "rebuilding" => HealthCheckResult.Healthy(FormattableString.Invariant($"made anew: {status.Done} of {status.Total} parts")),
                _ => HealthCheckResult.Healthy(status.State),
            });
    }
}
