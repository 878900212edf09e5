using System.Globalization;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Queries;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Net.Http.Headers;

namespace IoT.Modules.Storage.Readings;

internal static class ReadingEndpoints
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 10_000;

    private static readonly string[] Offered = ["application/json", "text/csv", "application/x-ndjson"];

    // Rows fetched at a time: what a stream holds in memory, however long it is.
    private const int ChunkSize = 1_000;

    // For links, which can't say Accept.
    private static readonly Dictionary<string, string> FormatNames = new(StringComparer.Ordinal)
    {
        ["json"] = "application/json",
        ["csv"] = "text/csv",
        ["ndjson"] = "application/x-ndjson",
    };

    public static void MapReadings(this IEndpointRouteBuilder api)
    {
        var devices = api.MapGroup("/devices/{id}").WithTags("Readings").RequireAuthorization(Policies.View);

        devices.MapGet("/latest", async (IMediator mediator, HttpContext http, string id, CancellationToken stop) =>
            {
                var latest = await mediator.Send(new GetLatest(id), stop);
                if (latest.Failure is { } failure)
                    return failure.ToResult();
                http.Response.ContentType = "application/json; charset=utf-8";
                http.Response.ContentLength = latest.Value.Json.Length;
                await http.Response.BodyWriter.WriteAsync(latest.Value.Json, stop);
                return Results.Empty;
            })
            .Produces<Page<ReadingShape>>().ProducesProblem(404)
            .WithSummary("The newest reading of each data_type");

        devices.MapGet("/data", (IMediator mediator, HttpContext http, string id, string? from, string? to, string? data_type, string? limit, string? cursor, string? format, CancellationToken stop) =>
                http.Request.Query.ContainsKey("points")
                    ? QueryEndpoints.ChartAsync(mediator, http, stop)
                    : HistoryAsync(mediator, http, id, from, to, data_type, limit, cursor, format, stop))
            .Produces<Page<ReadingShape>>(200, "application/json", "application/x-ndjson", "text/csv", "application/ld+json").ProducesProblem(400).ProducesProblem(404)
            .WithSummary("History, newest first; Accept: text/csv or application/x-ndjson (or format=csv, format=ndjson) streams all of it unless limit says otherwise; points=N: a chart of N points a series that keeps extremes");
    }

    /// <summary>A reading as the API shows it, for the API's description; the payload is an object.</summary>
    internal sealed record ReadingShape(long Id, string DeviceId, DateTime Timestamp, string DataType, Dictionary<string, object> Payload, string Status);

    private static async Task<IResult> HistoryAsync(
        IMediator mediator, HttpContext http, string id, string? from, string? to, string? data_type, string? limit, string? cursor, string? format, CancellationToken stop)
    {
        var errors = new Dictionary<string, string[]>();
        var others = http.RequestServices.GetServices<IHistoryFormat>();
        var other = others.FirstOrDefault(o => format is null ? NegotiatedType(http.Request, [.. Offered, o.ContentType]) == o.ContentType : format == o.Name);
        var contentType = other?.ContentType ?? ContentTypeOf(http.Request, format);
        if (contentType is null)
            errors["format"] = [$"one of {string.Join(", ", FormatNames.Keys.Concat(others.Select(o => o.Name)))}"];
        var isStream = contentType != "application/json";
        var start = Time("from", from, errors);
        var end = Time("to", to, errors);
        if (data_type?.Contains('\0', StringComparison.Ordinal) == true)
            errors["data_type"] = ["must not hold NUL"];
        HistoryCursor? after = null;
        if (cursor is not null)
        {
            if (HistoryCursor.TryParse(cursor, out var parsed))
                after = parsed;
            else
                errors["cursor"] = ["not a cursor of this list"];
        }
        var remaining = isStream ? long.MaxValue : DefaultLimit;
        if (limit is not null && (!long.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out remaining) || remaining < 1 || (!isStream && remaining > MaxLimit)))
            errors["limit"] = [isStream ? "a number from 1" : $"1 to {MaxLimit}; streams (Accept: text/csv, application/x-ndjson) have no limit"];
        if (errors.Count > 0)
            return new Failure(FailureKind.Invalid, string.Join("; ", errors.Select(e => $"{e.Key}: {e.Value[0]}")), errors).ToResult();

        // The first chunk decides the status; whatever fails later breaks the connection off, so that nobody takes a part for the whole.
        var page = await mediator.Send(new GetHistory(id, start, end, data_type, after, (int)Math.Min(remaining, ChunkSize)), stop);
        if (page.Failure is { } failure)
            return failure.ToResult();

        http.Response.ContentType = $"{contentType}; charset=utf-8";
        using IHistoryWriter output = other?.Open(http.Response.BodyWriter) ?? FormatOf(contentType!, http.Response.BodyWriter);
        output.Begin();
        while (true)
        {
            foreach (var reading in page.Value.Items)
                output.Write(reading);
            remaining -= page.Value.Items.Count;
            if (page.Value.Next is null || remaining <= 0)
                break;
            await http.Response.BodyWriter.FlushAsync(stop);
            page = await mediator.Send(new GetHistory(id, start, end, data_type, page.Value.Next, (int)Math.Min(remaining, ChunkSize)), stop);
            if (page.Failure is not null)
            {
                http.Abort();
                return Results.Empty;
            }
        }
        output.Finish(page.Value.Next?.ToString());
        await http.Response.BodyWriter.FlushAsync(stop);
        return Results.Empty;
    }

    /// <summary>Readings as a page of JSON.</summary>
    internal static async Task<IResult> WritePageAsync(HttpContext http, IReadOnlyList<StoredReading> items, string? next, CancellationToken cancellationToken)
    {
        http.Response.ContentType = "application/json; charset=utf-8";
        using var output = new ReadingFormat.JsonPage(http.Response.BodyWriter);
        output.Begin();
        foreach (var reading in items)
            output.Write(reading);
        output.End(next);
        await http.Response.BodyWriter.FlushAsync(cancellationToken);
        return Results.Empty;
    }

    internal static string FormatRule => $"one of {string.Join(", ", FormatNames.Keys)}";

    /// <summary>Null: format names none.</summary>
    internal static string? ContentTypeOf(HttpRequest request, string? format) => format is null ? NegotiatedType(request, Offered) : FormatNames.GetValueOrDefault(format);

    internal static ReadingFormat FormatOf(string contentType, System.IO.Pipelines.PipeWriter output) => contentType switch
    {
        "text/csv" => new ReadingFormat.Csv(output),
        "application/x-ndjson" => new ReadingFormat.Ndjson(output),
        _ => new ReadingFormat.JsonPage(output),
    };

    private static string NegotiatedType(HttpRequest request, string[] offered)
    {
        foreach (var accepted in request.GetTypedHeaders().Accept.OrderByDescending(a => a.Quality ?? 1))
        {
            if (offered.FirstOrDefault(type => new MediaTypeHeaderValue(type).IsSubsetOf(accepted)) is { } match)
                return match;
        }
        return offered[0];
    }

    internal static DateTime? Time(string field, string? value, Dictionary<string, string[]> errors)
    {
        if (value is null)
            return null;
        // A + of an offset arrives as a space unless it was escaped.
        if (DateTimeOffset.TryParseExact(value.Replace(' ', '+'), ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd"],
                CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            return time.UtcDateTime;
        errors[field] = ["an RFC 3339 time is expected, such as 2026-11-23T04:00:00Z"];
        return null;
    }
}
