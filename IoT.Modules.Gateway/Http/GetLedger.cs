using System.Globalization;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Gateway.Http;

/// <summary><c>GET /api/v1/ledger</c>: what came of everything received, in total and by device, at one instant.</summary>
internal static class GetLedger
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 10_000;

    public static void MapGetLedger(this IEndpointRouteBuilder api) =>
        api.MapGet("/ledger", Handle)
            .RequireAuthorization(Policies.View)
            .WithTags("Ledger")
            .Produces<Answer>().ProducesProblem(400).ProducesProblem(503)
            .WithSummary("received = stored + duplicate + rejected + quarantined + in_flight, in total (strangers included) and by device, at one instant");

    internal sealed record Counts(long Received, long Stored, long Duplicate, long Rejected, long Quarantined, long InFlight);

    internal sealed record DeviceCounts(string DeviceId, long Received, long Stored, long Duplicate, long Rejected, long Quarantined, long InFlight);

    internal sealed record Answer(Counts Total, IReadOnlyList<DeviceCounts> Items, string? NextCursor);

    private static IResult Handle(Ledger ledger, string? device_id, string? limit, string? cursor)
    {
        var count = DefaultLimit;
        if (limit is not null && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > MaxLimit))
            return Failure.Invalid("limit", $"1 to {MaxLimit}").ToResult();
        if (ledger.Snapshot() is not var (total, devices))
            return new Failure(FailureKind.Unavailable, "The ledger is not read from the database yet; try again in a moment.").ToResult();

        var page = devices
            .Where(d => (device_id is null || d.DeviceId == device_id) && (cursor is null || string.CompareOrdinal(d.DeviceId, cursor) > 0))
            .OrderBy(d => d.DeviceId, StringComparer.Ordinal)
            .Take(count + 1)
            .Select(d => new DeviceCounts(d.DeviceId, d.Line.Received, d.Line.Stored, d.Line.Duplicate, d.Line.Rejected, d.Line.Quarantined, d.Line.InFlight))
            .ToList();
        var items = page.Count > count ? page[..count] : page;
        return Results.Json(
            new Answer(
                new Counts(total.Received, total.Stored, total.Duplicate, total.Rejected, total.Quarantined, total.InFlight),
                items, page.Count > count ? items[^1].DeviceId : null),
            Json.Options);
    }
}
