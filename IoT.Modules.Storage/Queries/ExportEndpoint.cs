using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.Queries;

/// <summary><c>GET /api/v1/data/export</c>: readings as a file, streamed in constant memory.</summary>
internal static class ExportEndpoint
{
    private const string Parquet = "application/vnd.apache.parquet";
    private const int ChunkSize = 2_000;

    private static readonly Dictionary<string, (string ContentType, string Extension)> Formats = new(StringComparer.Ordinal)
    {
        ["csv"] = ("text/csv", "csv"),
        ["ndjson"] = ("application/x-ndjson", "ndjson"),
        ["parquet"] = (Parquet, "parquet"),
    };

    public static void MapExport(this IEndpointRouteBuilder api) =>
        api.MapGet("/data/export", HandleAsync).WithTags("Readings").RequireAuthorization(Policies.View)
            .Produces<string>(200, "text/csv", "application/x-ndjson", Parquet).ProducesProblem(400).ProducesProblem(404)
            .WithSummary("Readings as a file: format=csv (default), ndjson or parquet; device_id (a,b), location, type, data_type, from and to narrow it. By device and data_type, within each newest first");

    private static async Task<IResult> HandleAsync(IMediator mediator, HttpContext http, TimeProvider time, CancellationToken stop)
    {
        var question = new Question(http.Request.Query);
        if (!Formats.TryGetValue(question.Text("format") ?? FormatOf(http.Request), out var format))
            question.Wrong("format", $"one of {string.Join(", ", Formats.Keys)}");
        var (devices, from, to, dataType, limit) = (question.Devices(), question.Time("from"), question.Time("to"), question.DataType(), question.StreamLimit());
        if (question.Failure is { } wrong)
            return wrong.ToResult();
        http.Response.Headers.ContentDisposition = FormattableString.Invariant($"attachment; filename=\"readings-{time.GetUtcNow():yyyyMMdd'T'HHmmss'Z'}.{format.Extension}\"");
        Task<Outcome<StreamPage>> NextAsync(StreamPlace? place, int count) => mediator.Send(new ReadStreamPage(devices, from, to, dataType, place, count), stop);
        return format.ContentType == Parquet
            ? await WriteParquetAsync(http, limit, NextAsync, stop)
            : await ReadingStream.WriteAsync(http, format.ContentType, limit, NextAsync, ChunkSize, stop);
    }

    private static string FormatOf(HttpRequest request) =>
        request.Headers.Accept.ToString().Contains(Parquet, StringComparison.OrdinalIgnoreCase) ? "parquet"
        : ReadingEndpoints.ContentTypeOf(request, null) == "application/x-ndjson" ? "ndjson" : "csv";

    private static async Task<IResult> WriteParquetAsync(HttpContext http, long limit, Func<StreamPlace?, int, Task<Outcome<StreamPage>>> next, CancellationToken cancellationToken)
    {
        var page = await next(null, (int)Math.Min(limit, ChunkSize));
        if (page.Failure is { } failure)
            return failure.ToResult();
        http.Response.ContentType = Parquet;
        await using var output = await ParquetOutput.BeginAsync(http.Response.BodyWriter, cancellationToken);
        while (true)
        {
            foreach (var reading in page.Value.Items)
                await output.WriteAsync(reading, cancellationToken);
            limit -= page.Value.Items.Count;
            if (page.Value.Next is null || limit <= 0)
                break;
            page = await next(page.Value.Next, (int)Math.Min(limit, ChunkSize));
            if (page.Failure is not null)
            {
                // A file without its footer can't be taken for the whole, and a broken connection says so too.
                http.Abort();
                return Results.Empty;
            }
        }
        await output.EndAsync(cancellationToken);
        return Results.Empty;
    }
}
