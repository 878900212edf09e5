using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// The way in for every protocol: admitted readings into the ingest log. The task that comes back completes once they are on disk, and
/// that is what an acknowledgement says; it fails with <see cref="IngestLogFailedException"/> when they can't be.
/// </summary>
internal sealed class Intake(IngestLogService service)
{
    // A thread encodes one batch at a time, so each keeps one: nothing is allocated per reading.
    [ThreadStatic]
    private static (DurableLog Log, RecordBatch Batch)? t_batch;

    /// <summary>Null when the log has no room: nothing is taken.</summary>
    public Task? TryAppend(IReadOnlyList<Reading> readings)
    {
        var log = service.Log;
        if (t_batch is not { } kept || kept.Log != log)
            t_batch = kept = (log, log.NewBatch());
        var batch = kept.Batch;
        batch.Clear();
        for (var i = 0; i < readings.Count; i++)
        {
            var reading = readings[i];
            var size = ReadingRecord.SizeOf(reading);
            ReadingRecord.Write(reading, batch.GetSpan(size)[..size]);
            batch.Advance(size);
            batch.EndRecord();
        }
        return log.TryAppend(batch, out var ticket) ? ticket.Committed : null;
    }

    /// <summary>Waits for room: the caller reads its connection no further meanwhile.</summary>
    public async ValueTask<Task> AppendAsync(IReadOnlyList<Reading> readings, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (TryAppend(readings) is { } committed)
                return committed;
            await service.Log.WaitForRoomAsync(cancellationToken);
        }
    }
}
