using System.Diagnostics;
using System.Threading.Channels;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// One of the writers that drain the ingest log: the devices whose hash falls to it, in order. Whatever waits when a write ends is the
/// next batch; the readings and the lane's position are stored in one transaction. A write that fails for a reason that passes is tried
/// again soon; one that fails for a reason that lasts stops the lane, which then only looks from time to time whether it was mended.
/// </summary>
internal sealed class Lane(LanePosition start, GatewayOptions options, IMediator mediator, Ledger ledger, IngestMetrics metrics, IngestProgress progress, TimeProvider time, Action<Lane, LaneFault?, Exception?> report)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    // How often the position of a lane without readings is written, so that the log can be trimmed behind it.
    private static readonly TimeSpan IdlePeriod = TimeSpan.FromSeconds(1);

    // The statement holds all of its readings at once, here and in PostgreSQL.
    private const int LargestWriteBytes = 16 * 1024 * 1024;

    // Each batch is part of one read of the log, which is bounded by readings and bytes (4 MiB): as many as make up a large write.
    private readonly Channel<Batch> _batches = Channel.CreateBounded<Batch>(new BoundedChannelOptions(6) { SingleReader = true, SingleWriter = true });

    private long _done = start.Sequence;

    /// <summary>Where the lane stands in the database.</summary>
    public LanePosition Position { get; private set; } = start;

    /// <summary>Everything of the lane up to this sequence number is stored; its position in the database may lag when there was nothing to store.</summary>
    public long Done => Volatile.Read(ref _done);

    /// <summary>Why the last write failed; null when it did not.</summary>
    public LaneFault? Fault { get; private set; }

    /// <param name="Readings">This lane's readings among the next records of the log; may be none.</param>
    /// <param name="Quarantine">This lane's entries for the quarantine among them.</param>
    /// <param name="UpTo">The sequence number of the last of those records, whosesoever it is.</param>
    /// <param name="Shared">Holds the readings' payloads; released once they are stored.</param>
    internal readonly record struct Batch(List<Reading> Readings, List<QuarantineEntry> Quarantine, long UpTo, SharedBatch Shared);

    public ValueTask AddAsync(Batch batch, CancellationToken cancellationToken) => _batches.Writer.WriteAsync(batch, cancellationToken);

    public void Complete() => _batches.Writer.TryComplete();

    /// <summary>Until the lane is completed and empty, or cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var readings = new List<Reading>();
        var quarantine = new List<QuarantineEntry>();
        var held = new List<SharedBatch>();
        var reached = Position.Sequence;
        var moved = time.GetTimestamp();
        while (await _batches.Reader.WaitToReadAsync(cancellationToken))
        {
            var bytes = 0L;
            while (_batches.Reader.TryPeek(out var batch) && (held.Count == 0 || (readings.Count + batch.Readings.Count <= options.WriteBatchReadings && bytes < LargestWriteBytes)))
            {
                _batches.Reader.TryRead(out _);
                foreach (var reading in batch.Readings)
                    bytes += reading.Payload.Length;
                readings.AddRange(batch.Readings);
                quarantine.AddRange(batch.Quarantine);
                held.Add(batch.Shared);
                reached = batch.UpTo;
            }
            if (reached > Position.Sequence && (readings.Count + quarantine.Count > 0 || time.GetElapsedTime(moved) >= IdlePeriod))
            {
                await StoreAsync([.. readings], [.. quarantine], reached, cancellationToken);
                moved = time.GetTimestamp();
            }
            readings.Clear();
            quarantine.Clear();
            Volatile.Write(ref _done, reached);
            progress.Moved();
            foreach (var shared in held)
                shared.Release();
            held.Clear();
        }
        if (reached > Position.Sequence)
            await StoreAsync([], [], reached, cancellationToken);
    }

    private async Task StoreAsync(Reading[] readings, QuarantineEntry[] quarantine, long to, CancellationToken cancellationToken)
    {
        var retry = FirstRetry;
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                var result = await mediator.Send(new StoreReadings(readings, quarantine, Position, to), cancellationToken);
                ledger.Committed(result.Ledger);
                metrics.Stored(result, Stopwatch.GetElapsedTime(started));
                Position = Position with { Sequence = to };
                var ended = Fault;
                Fault = null;
                report(this, ended, null);
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                // Acknowledged readings stay in the log, visibly, until the cause is gone.
                var lasts = !DatabaseFault.Passes(exception);
                var before = Fault;
                Fault = new LaneFault(exception.Message, lasts, before?.Since ?? time.GetUtcNow());
                metrics.StoreFailed(lasts);
                progress.Moved(); // Those who wait for it look again whether that is any use.
                if (before?.Lasts != lasts)
                    report(this, Fault, exception);
                await Task.Delay(lasts ? TimeSpan.FromSeconds(options.StoppedLaneProbeSeconds) : retry, time, cancellationToken);
                retry = lasts ? FirstRetry : retry * 2 < LongestRetry ? retry * 2 : LongestRetry;
            }
        }
    }
}

/// <summary>Why a lane does not store.</summary>
/// <param name="Lasts">Somebody has to mend it: the lane has stopped writing. Otherwise it tries on.</param>
/// <param name="Since">When its writes began to fail.</param>
internal sealed record LaneFault(string Reason, bool Lasts, DateTimeOffset Since);
