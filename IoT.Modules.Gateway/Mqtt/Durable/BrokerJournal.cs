using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>The broker's changes in the ingest log.</summary>
internal sealed class BrokerJournal(IngestLogService service, Intake intake) : IBrokerJournal
{
    public Task<BrokerSnapshot> LoadAsync(CancellationToken cancellationToken) => Task.FromResult(BrokerSnapshot.Empty);

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
