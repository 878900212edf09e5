using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>What came of readings that were brought in.</summary>
/// <param name="Committed">
/// Completes when all of them are on disk, the originals of the duplicates among them included, and that is what an acknowledgement
/// says; fails with <see cref="IngestLogFailedException"/> when they can't be.
/// </param>
/// <param name="Duplicates">How many of them were known by their message ids and not logged again.</param>
internal readonly record struct Taken(Task Committed, int Duplicates);

/// <summary>The way in for every protocol: admitted readings into the ingest log.</summary>
internal sealed class Intake(Func<DurableLog> currentLog, MessageCache cache, Ledger ledger, IngestMetrics metrics, int compressLogAboveBytes, BrokerFeed? feed = null)
{
    // A thread encodes one batch at a time, so each keeps one: nothing is allocated per reading.
    [ThreadStatic]
    private static (DurableLog Log, RecordBatch Batch)? t_batch;

    private readonly int _compressAbove = compressLogAboveBytes == 0 ? int.MaxValue : compressLogAboveBytes;

    /// <summary>Null when the log has no room: nothing is taken.</summary>
    /// <param name="readings">The readings.</param>
    /// <param name="quarantine">Entries for the quarantine that came with them, which are appended with them or not at all.</param>
    /// <param name="changes">
    /// What the publish that brought them changes in the broker's state; null or empty: nothing. With it all of the call is one atomic
    /// batch of the log: after a crash either everything is there or nothing. Readings that are known already don't hold the changes back.
    /// </param>
    public Taken? TryAppend(IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry>? quarantine = null, IReadOnlyList<BrokerChange>? changes = null)
    {
        if (HaveIds(readings))
            return TryAppendOnce(readings, quarantine ?? [], changes ?? []);
        return Append(readings, quarantine ?? [], changes ?? []) is { } committed ? new Taken(committed, 0) : null;
    }

    /// <summary>Waits for room: the caller reads its connection no further meanwhile.</summary>
    public ValueTask<Taken> AppendAsync(IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry> quarantine, CancellationToken cancellationToken) =>
        AppendAsync(readings, quarantine, null, cancellationToken);

    /// <inheritdoc cref="TryAppend"/>
    public ValueTask<Taken> AppendAsync(IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry>? quarantine, IReadOnlyList<BrokerChange>? changes, CancellationToken cancellationToken) =>
        TryAppend(readings, quarantine, changes) is { } taken ? new(taken) : WaitAsync(readings, quarantine, changes, cancellationToken);

    private async ValueTask<Taken> WaitAsync(IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry>? quarantine, IReadOnlyList<BrokerChange>? changes, CancellationToken cancellationToken)
    {
        while (true)
        {
            await currentLog().WaitForRoomAsync(cancellationToken);
            if (TryAppend(readings, quarantine, changes) is { } taken)
                return taken;
        }
    }

    private static bool HaveIds(IReadOnlyList<Reading> readings)
    {
        for (var i = 0; i < readings.Count; i++)
        {
            if (readings[i].MessageId is not null)
                return true;
        }
        return false;
    }

    /// <summary>Looks up, appends and remembers under one lock, so that of two readings with one id exactly one is appended.</summary>
    private Taken? TryAppendOnce(IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry> quarantine, IReadOnlyList<BrokerChange> changes)
    {
        var fresh = new List<Reading>(readings.Count);
        var known = new List<Reading>();
        var ids = 0;
        var waits = new HashSet<Task>();
        lock (cache.Gate)
        {
            var batch = new HashSet<(Guid, string)>();
            foreach (var reading in readings)
            {
                if (reading.MessageId is { } id)
                {
                    ids++;
                    if (cache.Find(reading.Device, id) is { } original)
                    {
                        // A duplicate may not be acknowledged before its original.
                        if (!original.IsCompletedSuccessfully)
                            waits.Add(original);
                        known.Add(reading);
                        continue;
                    }
                    if (!batch.Add((reading.Device.Uuid, id)))
                    {
                        known.Add(reading);
                        continue;
                    }
                }
                fresh.Add(reading);
            }
            if (fresh.Count + quarantine.Count + changes.Count > 0)
            {
                if (Append(fresh, quarantine, changes) is not { } committed)
                    return null;
                waits.Add(committed);
                foreach (var reading in fresh)
                {
                    if (reading.MessageId is { } id)
                        cache.Add(reading.Device, id, committed);
                }
            }
        }
        ledger.Answered(known);
        metrics.LookedUp(hits: known.Count, misses: ids - known.Count);
        return new Taken(waits.Count switch { 0 => Task.CompletedTask, 1 => waits.First(), _ => Task.WhenAll(waits) }, known.Count);
    }

    private Task? Append(IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry> quarantine, IReadOnlyList<BrokerChange> changes)
    {
        var log = currentLog();
        if (t_batch is not { } kept || kept.Log != log)
            t_batch = kept = (log, log.NewBatch());
        var batch = kept.Batch;
        batch.Clear();
        for (var i = 0; i < readings.Count; i++)
            ReadingRecord.Append(batch, readings[i], _compressAbove);
        foreach (var entry in quarantine)
        {
            var size = QuarantineRecord.SizeOf(entry);
            QuarantineRecord.Write(entry, batch.GetSpan(size)[..size]);
            batch.Advance(size);
            batch.EndRecord();
        }
        return changes.Count > 0 ? Append(log, batch, readings, quarantine, changes)
            : ledger.Append(log, batch, readings, quarantine, out var ticket) ? ticket.Committed
            : null;
    }

    private Task? Append(DurableLog log, RecordBatch batch, IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry> quarantine, IReadOnlyList<BrokerChange> changes)
    {
        var before = batch.Bytes;
        BrokerRecord.Write(changes, batch);
        batch.EndRecord();
        batch.IsAtomic = true;
        if (feed is null)
            return ledger.Append(log, batch, readings, quarantine, out var unfed) ? unfed.Committed : null;
        lock (feed.Gate)
        {
            if (!ledger.Append(log, batch, readings, quarantine, out var ticket))
                return null;
            if (ticket.Count > 0)
                feed.Add(ticket.LastSequence, changes, batch.Bytes - before);
            return ticket.Committed;
        }
    }
}
