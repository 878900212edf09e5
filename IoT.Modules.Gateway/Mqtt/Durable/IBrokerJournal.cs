using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// What the broker keeps beyond the process. The changes of a publish go into the log with its readings, through
/// <see cref="Ingest.Intake.TryAppend(IReadOnlyList{Storage.Contracts.Reading}, IReadOnlyList{Storage.Contracts.QuarantineEntry}?, IReadOnlyList{BrokerChange}?)"/>;
/// all others come here. Changes take effect in the order in which they were appended, by whichever way; those of one call all or
/// none of them, whatever is killed. Any thread may append at any time.
/// </summary>
internal interface IBrokerJournal
{
    /// <summary>
    /// Once, before the first append. Sessions whose expiry has run out and who leave no will, and messages that have expired, are gone.
    /// Sessions that were open when the host ended (<see cref="SavedSession.ClosedAt"/> is null) are for the broker to close now.
    /// </summary>
    Task<BrokerSnapshot> LoadAsync(CancellationToken cancellationToken);

    /// <summary>False, and nothing is kept, when the log has no room; then <see cref="AppendAsync"/> waits for it.</summary>
    /// <param name="changes">At least one; the list and what is in it must not be changed afterwards.</param>
    /// <param name="committed">Completes when the changes are on disk; fails with <see cref="IngestLogFailedException"/> when they can't be. Nobody needs to await it.</param>
    bool TryAppend(IReadOnlyList<BrokerChange> changes, out Task committed);

    /// <summary>Completes when the changes are on disk, after waiting for room if need be.</summary>
    /// <exception cref="IngestLogFailedException">They can't be.</exception>
    Task AppendAsync(IReadOnlyList<BrokerChange> changes, CancellationToken cancellationToken = default);
}
