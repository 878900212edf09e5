using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.Queries;

/// <summary>Questions over several devices, and what is known of the queries themselves.</summary>
internal static class QueryEndpoints
{
    private const int DefaultLatest = 1_000;
    private const int DefaultBuckets = 1_000;
    private const int DefaultReadings = 100;
    private const int MaxLimit = 10_000;
    private const int ChunkSize = 1_000;

    public static void MapQueries(this IEndpointRouteBuilder api)
    {
        var readings = api.MapGroup("").WithTags("Readings").RequireAuthorization(Policies.View);
        readings.MapGet("/latest", LatestAsync)
            .Produces<Page<ReadingEndpoints.ReadingShape>>().ProducesProblem(400).ProducesProblem(404)
            .WithSummary("The newest reading of each data_type of all devices, or of those that device_id (a,b), location and type name; by device and data_type");
        readings.MapGet("/data", DataAsync)
            .Produces<Page<ReadingEndpoints.ReadingShape>>(200, "application/json", "application/x-ndjson", "text/csv").ProducesProblem(400).ProducesProblem(404)
            .WithSummary("History of several devices, newest first; as text/csv or application/x-ndjson all of it, device by device. points=N: a chart of N points a series that keeps extremes; bucket=5m, hour or day: summed up");
        readings.MapGet("/summary", BucketsAsync)
            .Produces<Page<DeviceSummaryBucket>>().ProducesProblem(400).ProducesProblem(404)
            .WithSummary("Numbers of several devices summed up by bucket (hour, 5m, day), oldest first; without from, of the last 31 days");

        var queries = api.MapGroup("/queries").WithTags("Storage").RequireAuthorization(Policies.Administer);
        queries.MapGet("", (QueryLog log) => Results.Json(new Page<QueryShape>([.. log.All.Select(ShapeOf)], null), Json.Options))
            .Produces<Page<QueryShape>>()
            .WithSummary("The queries by name since the start: how many, how long, and the slowest of each");
        queries.MapPost("/{name}:explain", async (QueryLog log, string name, CancellationToken stop) =>
                await log.ExplainAsync(name, stop) is var (slowest, plan)
                    ? Results.Json(new PlanShape(name, slowest.At.UtcDateTime, slowest.Duration.TotalMilliseconds, slowest.Rows, slowest.Sql, plan), Json.Options)
                    : Failure.NotFound($"Query {name}, or a call of it since the start,").ToResult())
            .Produces<PlanShape>().ProducesProblem(404)
            .WithSummary("Runs the slowest call once more and answers its plan: EXPLAIN (ANALYZE, BUFFERS)");
    }

    /// <param name="Rows">Rows read in all.</param>
    internal sealed record QueryShape(string Name, long Count, long Failed, long Rows, double MeanMs, double MaxMs, DateTime? SlowestAt);

    internal sealed record PlanShape(string Name, DateTime At, double DurationMs, long Rows, string Sql, string Plan);

    private static QueryShape ShapeOf(QueryLog.Numbers n) =>
        new(n.Name, n.Count, n.Failed, n.Rows, n.Total.TotalMilliseconds / n.Count, n.Slowest?.Duration.TotalMilliseconds ?? 0, n.Slowest?.At.UtcDateTime);

    private static async Task<IResult> LatestAsync(IMediator mediator, HttpContext http, CancellationToken stop)
    {
        var question = new Question(http.Request.Query);
        var request = new GetLatestOfDevices(question.Devices(), question.DataType(), question.Cursor<SeriesCursor>(SeriesCursor.TryParse), question.Limit(DefaultLatest, MaxLimit));
        if (question.Failure is { } wrong)
            return wrong.ToResult();
        var latest = await mediator.Send(request, stop);
        return latest.Failure is { } failure ? failure.ToResult() : await ReadingEndpoints.WritePageAsync(http, latest.Value.Items, latest.Value.NextCursor, stop);
    }

    private static Task<IResult> DataAsync(IMediator mediator, HttpContext http, CancellationToken stop) =>
        http.Request.Query.ContainsKey("points") ? ChartAsync(mediator, http, stop)
        : http.Request.Query.ContainsKey("bucket") ? BucketsAsync(mediator, http, stop)
        : ReadingsAsync(mediator, http, stop);

    internal static async Task<IResult> ChartAsync(IMediator mediator, HttpContext http, CancellationToken stop)
    {
        var question = new Question(http.Request.Query);
        var request = new GetChart(question.Devices(http.GetRouteValue("id") as string), question.Time("from"), question.Time("to"), question.DataType(), question.List("metric"), question.Number("points", 2, GetChart.MaxPoints));
        return question.Failure is { } wrong ? wrong.ToResult() : (await mediator.Send(request, stop)).ToResult();
    }

    private static async Task<IResult> BucketsAsync(IMediator mediator, HttpContext http, CancellationToken stop)
    {
        var question = new Question(http.Request.Query);
        var request = new GetSummaryOfDevices(
            question.Devices(), question.Time("from"), question.Time("to"), question.DataType(), question.Text("metric"), question.Bucket(),
            question.Cursor<DeviceSummaryCursor>(DeviceSummaryCursor.TryParse), question.Limit(DefaultBuckets, MaxLimit));
        return question.Failure is { } wrong ? wrong.ToResult() : (await mediator.Send(request, stop)).ToResult();
    }

    private static async Task<IResult> ReadingsAsync(IMediator mediator, HttpContext http, CancellationToken stop)
    {
        var question = new Question(http.Request.Query);
        var contentType = ReadingEndpoints.ContentTypeOf(http.Request, question.Text("format"));
        if (contentType is null)
            question.Wrong("format", ReadingEndpoints.FormatRule);
        var isStream = contentType != "application/json";
        var (devices, from, to, dataType) = (question.Devices(), question.Time("from"), question.Time("to"), question.DataType());
        var cursor = isStream ? null : question.Cursor<HistoryCursor>(HistoryCursor.TryParse);
        var limit = isStream ? question.StreamLimit() : question.Limit(DefaultReadings, MaxLimit);
        if (question.Failure is { } wrong)
            return wrong.ToResult();
        if (!isStream)
        {
            var page = await mediator.Send(new GetReadings(devices, from, to, dataType, cursor, (int)limit), stop);
            return page.Failure is { } failure ? failure.ToResult() : await ReadingEndpoints.WritePageAsync(http, page.Value.Items, page.Value.Next?.ToString(), stop);
        }
        return await ReadingStream.WriteAsync(
            http, contentType!, limit,
            (place, count) => mediator.Send(new ReadStreamPage(devices, from, to, dataType, place, count), stop), ChunkSize, stop);
    }
}
