using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>The broker's changes into the ingest log, and what came of them at the start.</summary>
internal sealed class BrokerJournal(IngestLogService service, Intake intake, BrokerStateWriter writer) : IBrokerJournal
{
    public Task<BrokerSnapshot> LoadAsync(CancellationToken cancellationToken) => Task.FromResult(writer.TakeSnapshot());

    public bool TryAppend(IReadOnlyList<BrokerChange> changes, out Task committed)
    {
        var taken = intake.TryAppend([], null, changes);
        committed = taken?.Committed ?? Task.CompletedTask;
        return taken is not null;
    }

    public async Task AppendAsync(IReadOnlyList<BrokerChange> changes, CancellationToken cancellationToken = default)
    {
        Task committed;
        while (!TryAppend(changes, out committed))
            await service.Log.WaitForRoomAsync(cancellationToken);
        await committed.WaitAsync(cancellationToken);
    }
}
