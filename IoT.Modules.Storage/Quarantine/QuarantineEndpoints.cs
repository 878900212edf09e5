using System.Globalization;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.Quarantine;

/// <summary>Looking at the quarantine and emptying it; bringing an entry in again is the gateway's.</summary>
internal static class QuarantineEndpoints
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    public static void MapQuarantine(this IEndpointRouteBuilder api)
    {
        var quarantine = api.MapGroup("/quarantine").WithTags("Quarantine");
        quarantine.MapGet("", ListAsync).RequireAuthorization(Policies.View)
            .Produces<Page<QuarantinedItem>>().ProducesProblem(400)
            .WithSummary("What was acknowledged, or came over MQTT 3.1.1, and can't be stored: newest first, with the reason");
        quarantine.MapGet("/{id:long}", GetAsync).RequireAuthorization(Policies.View)
            .Produces<QuarantinedItem>().Produces(200, contentType: "application/octet-stream").ProducesProblem(404)
            .WithSummary("One entry; with ?download, or Accept: application/octet-stream, the bytes that came, the first 64 KiB of them");
        quarantine.MapDelete("/{id:long}", async (IMediator mediator, long id, CancellationToken stop) =>
                await mediator.Send(new RemoveQuarantined(id), stop) is { Failure: { } failure } ? failure.ToResult() : Results.NoContent())
            .RequireAuthorization(Policies.Operate)
            .Produces(204).ProducesProblem(404)
            .WithSummary("Takes an entry out for good");
        quarantine.MapDelete("", async (IMediator mediator, string? device_id, CancellationToken stop) =>
                (await mediator.Send(new ClearQuarantine(IdOrNothing(device_id)), stop)) is { Failure: null } cleared
                    ? Results.Json(new { removed = cleared.Value }, Json.Options)
                    : new Failure(FailureKind.Unavailable, "The database does not answer; try again in a moment.").ToResult())
            .RequireAuthorization(Policies.Operate)
            .WithSummary("Takes all entries out for good, or with device_id all of one device; answers how many");
    }

    private static async Task<IResult> ListAsync(IMediator mediator, string? device_id, string? limit, string? cursor, CancellationToken stop)
    {
        var errors = new Dictionary<string, string[]>();
        var count = DefaultLimit;
        if (limit is not null && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > MaxLimit))
            errors["limit"] = [$"1 to {MaxLimit}"];
        long? after = null;
        if (cursor is not null)
        {
            if (long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                after = id;
            else
                errors["cursor"] = ["not a cursor of this list"];
        }
        if (errors.Count > 0)
            return new Failure(FailureKind.Invalid, string.Join("; ", errors.Select(e => $"{e.Key}: {e.Value[0]}")), errors).ToResult();
        return (await mediator.Send(new ListQuarantine(IdOrNothing(device_id), after, count), stop)).ToResult();
    }

    private static async Task<IResult> GetAsync(IMediator mediator, HttpContext http, long id, string? download, CancellationToken stop)
    {
        var entry = await mediator.Send(new GetQuarantined(id), stop);
        if (entry.Failure is { } failure)
            return failure.ToResult();
        var wantsBytes = download is not null
            || http.Request.GetTypedHeaders().Accept.Any(accepted => accepted.MediaType.Equals("application/octet-stream", StringComparison.OrdinalIgnoreCase));
        return wantsBytes
            ? Results.Bytes(entry.Value.Bytes, "application/octet-stream", FormattableString.Invariant($"quarantine-{id}"))
            : Results.Json(entry.Value.Item, Json.Options);
    }

    // What can't be a device's id is nobody's; PostgreSQL would refuse a NUL.
    private static string? IdOrNothing(string? deviceId) => deviceId is null || DeviceId.IsValid(deviceId) ? deviceId : "";
}
