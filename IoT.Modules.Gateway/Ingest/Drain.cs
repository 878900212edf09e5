using System.Buffers.Binary;
using System.Text;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Brings what the ingest log holds into PostgreSQL: reads it once, in order, and hands each reading to its device's lane. What every
/// lane has stored is trimmed from the log. With PostgreSQL away it waits and goes on by itself.
/// </summary>
internal sealed partial class Drain(
    IngestLogService service, LogTrim trim, DeviceDirectory directory, StorageReadiness readiness, GatewayOptions options, IMediator mediator, Ledger ledger,
    IngestMetrics metrics, IngestProgress progress, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Drain> logger) : BackgroundService
{
    private const int ReadBytes = 4 * 1024 * 1024;

    // A write costs much the same whatever it holds: a steady trickle is stored by some fifty writes a second, and what comes after a pause at once.
    private const int FewReadings = 500;
    private static readonly TimeSpan Rhythm = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestWaitInTrouble = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _abandon = new();
    private readonly TextCache _dataTypes = new();
    private Lane[] _lanes = [];

    // A write that failed a moment ago may be made good before a query that waits for it would have been answered without it.
    private static readonly TimeSpan StuckAfter = TimeSpan.FromSeconds(1);

    /// <summary>Why readings can't be stored now, of the lane whose fault is the worst; null when they can.</summary>
    // Asked with every query: mostly there is none.
    public LaneFault? Fault => !Array.Exists(_lanes, l => l.Fault is not null) ? null : _lanes.Select(l => l.Fault).OfType<LaneFault>().OrderByDescending(f => f.Lasts).ThenBy(f => f.Since).FirstOrDefault();

    public int Lanes => _lanes.Length;

    /// <summary>Lanes that write no more until somebody mends something.</summary>
    public int StoppedLanes => _lanes.Count(l => l.Fault is { Lasts: true });

    /// <summary>Acknowledged readings that are not in PostgreSQL yet, about.</summary>
    public long Backlog => _lanes.Length == 0 ? 0 : Math.Max(0, service.Log.DurableSequence - _lanes.Min(l => l.Done));

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // Everything is durable already: what is not stored by now is stored by the next start.
        _abandon.CancelAfter(Fault is null ? LongestDrain : LongestWaitInTrouble);
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _abandon.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await readiness.Ready.WaitAsync(stoppingToken);
            var positions = await OpenLanesAsync(stoppingToken);
            await LoadLedgerAsync(positions, stoppingToken);
            _lanes = [.. positions.Select(position => new Lane(position, options, mediator, ledger, metrics, progress, time, Report))];
            progress.Stored = () => IsStuck ? null : _lanes.Min(l => l.Done);
            metrics.Observe(this);
            var running = _lanes.Select(lane => lane.RunAsync(_abandon.Token)).ToList();
            await HandOutAsync(positions, stoppingToken);
            foreach (var lane in _lanes)
                lane.Complete();
            await Task.WhenAll(running);
            Trim();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogStopped(Backlog);
        }
        catch (IngestLogFailedException)
        {
            // IngestLogService says so and ends the host.
        }
        catch (Exception exception)
        {
            // What a person has to do says it all; anything else is a bug and keeps its stack.
            LogFailed(exception is StartupException ? null : exception, exception.Message);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }

    private async Task<IReadOnlyList<LanePosition>> OpenLanesAsync(CancellationToken cancellationToken)
    {
        var log = service.Log;
        while (true)
        {
            try
            {
                var positions = await mediator.Send(new OpenLanes(log.LogId, options.DrainLanes), cancellationToken);
                var (least, most) = (positions.Min(p => p.Sequence), positions.Max(p => p.Sequence));
                if (least + 1 < log.FirstSequence)
                    throw new StartupException(
                        $"The ingest log in {service.Directory} begins at {log.FirstSequence}, but the database has its readings only up to {least}: it seems to be restored from an older backup. Restore the log of that backup too, or, to give up the readings in between, delete the row of log {log.LogId} from ingest_checkpoint and move {service.Directory} away.");
                if (most >= log.NextSequence)
                    throw new StartupException(
                        $"The ingest log in {service.Directory} ends at {log.NextSequence - 1}, but the database has its readings up to {most}: the log seems to be restored from an older backup. Move {service.Directory} away; the host begins a new log.");
                // Lanes may only change while none of them has anything left to do.
                return positions.Count != options.DrainLanes && least == log.NextSequence - 1
                    ? await mediator.Send(new ReplaceLanes(log.LogId, options.DrainLanes, least), cancellationToken)
                    : positions;
            }
            catch (System.Data.Common.DbException exception) when (DatabaseFault.Passes(exception))
            {
                LogAway(exception.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken);
            }
        }
    }

    /// <summary>What earlier runs left in the log is in flight; what came in since it was opened is counted already.</summary>
    private async Task LoadLedgerAsync(IReadOnlyList<LanePosition> positions, CancellationToken cancellationToken)
    {
        IReadOnlyList<LedgerRow>? rows = null;
        while (rows is null)
        {
            try
            {
                rows = await mediator.Send(new LoadLedger(), cancellationToken);
            }
            catch (System.Data.Common.DbException exception) when (DatabaseFault.Passes(exception))
            {
                LogAway(exception.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken);
            }
        }

        var inFlight = new Dictionary<string, long>(StringComparer.Ordinal);
        var next = positions.Min(p => p.Sequence) + 1;
        while (next < service.FirstNewSequence)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var batch = service.Log.Read(next, options.WriteBatchReadings, ReadBytes);
            for (var i = 0; i < batch.Count && batch[i].Sequence < service.FirstNewSequence; i++)
            {
                var payload = batch[i].Payload;
                if (BrokerRecord.Is(payload.Span))
                    continue;
                var deviceId = QuarantineRecord.Is(payload.Span) ? QuarantineRecord.Read(payload).DeviceId : ReadingRecord.DeviceIdOf(payload.Span);
                if (batch[i].Sequence > positions[LaneOf(DeviceUuid.Of(deviceId), positions.Count)].Sequence)
                    inFlight[deviceId] = inFlight.GetValueOrDefault(deviceId) + 1;
            }
            next = batch.NextSequence;
        }
        ledger.Load(rows, inFlight);
    }

    /// <summary>Reads the log from where the lane furthest behind stands, as it grows, until the host stops.</summary>
    private async Task HandOutAsync(IReadOnlyList<LanePosition> starts, CancellationToken stoppingToken)
    {
        var log = service.Log;
        var next = starts.Min(s => s.Sequence) + 1;
        var readAt = time.GetTimestamp() - time.TimestampFrequency;
        while (true)
        {
            if (log.DurableSequence < next)
            {
                if (stoppingToken.IsCancellationRequested)
                    return;
                await WaitForAsync(log, next, stoppingToken);
                continue;
            }
            if (log.DurableSequence - next < FewReadings && time.GetElapsedTime(readAt) is var since && since < Rhythm)
                await LingerAsync(Rhythm - since, stoppingToken);
            readAt = time.GetTimestamp();
            // Its lanes give it back once all of them have stored their part.
            var batch = new SharedBatch(log.Read(next, options.WriteBatchReadings, ReadBytes), _lanes.Length);
            // Seldom is one half as long again as its share: the lists grow once, if at all.
            var share = batch.Records.Count / _lanes.Length;
            var parts = Array.ConvertAll(_lanes, _ => (Readings: new List<Reading>(share + share / 2), Quarantine: new List<QuarantineEntry>()));
            for (var i = 0; i < batch.Records.Count; i++)
            {
                var record = batch.Records[i];
                if (BrokerRecord.Is(record.Payload.Span))
                    continue;
                // What a lane had stored before a restart comes again when another stood further back.
                if (QuarantineRecord.Is(record.Payload.Span))
                {
                    var entry = QuarantineRecord.Read(record.Payload);
                    var lane = LaneOf(DeviceUuid.Of(entry.DeviceId), _lanes.Length);
                    if (record.Sequence > starts[lane].Sequence)
                        parts[lane].Quarantine.Add(entry);
                }
                else
                {
                    var reading = ReadingRecord.Read(record.Payload, directory, DataTypeOf);
                    var lane = LaneOf(reading.Device.Uuid, _lanes.Length);
                    if (record.Sequence > starts[lane].Sequence)
                        parts[lane].Readings.Add(reading);
                }
            }
            next = batch.Records.NextSequence;
            for (var lane = 0; lane < _lanes.Length; lane++)
                await _lanes[lane].AddAsync(new Lane.Batch(parts[lane].Readings, parts[lane].Quarantine, next - 1, batch), _abandon.Token);
        }
    }

    private async Task LingerAsync(TimeSpan wait, CancellationToken stoppingToken)
    {
        try
        {
            await Task.Delay(wait, time, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping: at once.
        }
    }

    private static async Task WaitForAsync(DurableLog log, long sequence, CancellationToken stoppingToken)
    {
        try
        {
            await log.WaitForDurableAsync(sequence, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping: what has come in meanwhile is still handed out.
        }
    }

    private static int LaneOf(Guid device, int lanes)
    {
        Span<byte> bytes = stackalloc byte[16];
        device.TryWriteBytes(bytes);
        return (int)(BinaryPrimitives.ReadUInt32LittleEndian(bytes) % (uint)lanes);
    }

    private string DataTypeOf(ReadOnlySpan<byte> utf8)
    {
        Span<char> text = stackalloc char[ElementParser.MaxDataTypeCharacters * 2];
        return _dataTypes.Get(text[..Encoding.UTF8.GetChars(utf8, text)]);
    }

    private bool IsStuck => Fault is { } fault && (fault.Lasts || time.GetUtcNow() - fault.Since > StuckAfter);

    private void Report(Lane lane, LaneFault? fault, Exception? exception)
    {
        if (exception is null)
        {
            Trim();
            if (fault is not null)
                LogMended(lane.Position.Lane, (long)(time.GetUtcNow() - fault.Since).TotalSeconds);
        }
        else if (fault!.Lasts)
            LogStoppedWriting(exception, lane.Position.Lane, fault.Reason, options.StoppedLaneProbeSeconds);
        else
            LogTrouble(exception, lane.Position.Lane);
    }

    private void Trim() => trim.Lanes(_lanes.Min(l => l.Position.Sequence));

    [LoggerMessage(2000, LogLevel.Error, "Lane {Lane} can't store readings; they stay in the ingest log, and it tries on")]
    private partial void LogTrouble(Exception exception, int lane);

    [LoggerMessage(2004, LogLevel.Critical, "Lane {Lane} has stopped writing: {Reason}. Trying again would not help; what is acknowledged stays in the ingest log. Mend the cause: every {Seconds} s, and at a restart, it looks whether that is done")]
    private partial void LogStoppedWriting(Exception exception, int lane, string reason, int seconds);

    [LoggerMessage(2005, LogLevel.Information, "Lane {Lane} stores readings again, after {Seconds} s")]
    private partial void LogMended(int lane, long seconds);

    [LoggerMessage(2001, LogLevel.Information, "Stopped with about {Count} readings left in the ingest log for the next start")]
    private partial void LogStopped(long count);

    [LoggerMessage(2002, LogLevel.Critical, "The ingest log can't be drained: {Reason}")]
    private partial void LogFailed(Exception? exception, string reason);

    [LoggerMessage(2003, LogLevel.Warning, "PostgreSQL is away; the ingest log keeps what comes in. {Reason}")]
    private partial void LogAway(string reason);
}
