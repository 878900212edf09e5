using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Gateway.Http;

/// <summary>
/// <c>POST /api/v1/quarantine/{id}/retry</c>: reads an entry again, as its device's, and on success takes it out of the quarantine. A
/// kill in between leaves it there; retried again it is a duplicate, because each reading has a message id: its own, or its place in
/// the quarantine.
/// </summary>
internal static class RetryQuarantined
{
    public static void MapRetryQuarantined(this IEndpointRouteBuilder api) =>
        api.MapPost("/quarantine/{id:long}/retry", HandleAsync)
            .RequireAuthorization(Policies.Operate)
            .WithTags("Quarantine")
            .Produces<PostData.Answer>().ProducesProblem(404).ProducesProblem(409).ProducesProblem(503)
            .WithSummary("Brings an entry in again, after its cause is gone: 200 when it is on disk and no longer in the quarantine, 409 when it still can't be taken");

    private static async Task<IResult> HandleAsync(
        IMediator mediator, ReadingParser parser, Admission admission, DeviceDirectory directory, Intake intake, Ledger ledger, long id, CancellationToken stop)
    {
        var found = await mediator.Send(new GetQuarantined(id), stop);
        if (found.Failure is { } missing)
            return missing.ToResult();
        if (!ledger.IsLoaded)
            return new Failure(FailureKind.Busy, "The ledger is still being read after the start; try again in a moment.").ToResult();
        var (item, bytes) = found.Value;
        if (item.Length > item.Kept)
            return Conflict($"Only the first {item.Kept} of its {item.Length} bytes are kept.");
        if (directory.Find(item.DeviceId) is not { } device)
            return Conflict($"Device {item.DeviceId} does not exist.");

        var batch = parser.ParseJson(bytes);
        if (batch.TooMany)
            return Conflict("Too many readings in one message.");
        var topicDevice = item.Topic is not null && MqttTopics.IsDeviceData(item.Topic, out var named) ? named : null;
        var admitted = admission.Admit(batch, new Sender(SenderKind.Device, device), topicDevice, mayOwe: true, receivedAt: item.ReceivedAt);
        if (admitted.Rejected.Count > 0 || admitted.Readings.Count == 0)
            return Conflict(admitted.Rejected.Count > 0 ? admitted.Rejected[0].Error : "It holds no reading.");

        // No id of a sender can begin like this: control characters are not allowed in them.
        var readings = admitted.Readings.Select((reading, index) => reading with { MessageId = reading.MessageId ?? FormattableString.Invariant($"\u0001quarantine:{id}:{index}") }).ToList();
        if (intake.TryAppend(readings) is not { } taken)
        {
            admission.Withdraw(admitted);
            return new Failure(FailureKind.Busy, "The ingest log is full; try again later.").ToResult();
        }
        await taken.Committed;
        var removed = await mediator.Send(new RemoveQuarantined(id, WasRetried: true), CancellationToken.None);
        if (removed.Failure is { } failure)
            return failure.ToResult();
        if (removed.Value.Ledger is { } added)
            ledger.Add(added);
        return Results.Json(new PostData.Answer(readings.Count - taken.Duplicates, taken.Duplicates, []), Json.Options);
    }

    private static IResult Conflict(string reason) => new Failure(FailureKind.Conflict, $"It still can't be taken: {reason}").ToResult();
}
