using System.Diagnostics;
using System.Threading.Channels;
using System.Threading.RateLimiting;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Group commit: whatever waits when a write to PostgreSQL ends is the next batch, so an idle system writes at once and a busy one
/// in large batches, without a delay of its own. One writer, in order of arrival. A write that fails is tried again until it
/// succeeds; its acknowledgements wait. Bounded by bytes: <see cref="GatewayOptions.MaxQueuedBytes"/>.
/// </summary>
internal sealed partial class IngestQueue(GatewayOptions options, IMediator mediator, IngestMetrics metrics, TimeProvider time, ILogger<IngestQueue> logger)
    : BackgroundService
{
    // What a waiting reading costs beside its payload, about; keeps a flood of empty payloads inside the limit too.
    private const int ReadingOverheadBytes = 256;
    private const int PermitBytes = 256;
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(20);

    private readonly Channel<Submission> _submissions = Channel.CreateUnbounded<Submission>(new() { SingleReader = true });
    private readonly int _permits = options.MaxQueuedBytes / PermitBytes;

    // Waiters are bounded by the connections there are: each waits for one submission at a time.
    private readonly ConcurrencyLimiter _room = new(new()
    {
        PermitLimit = options.MaxQueuedBytes / PermitBytes,
        QueueLimit = int.MaxValue,
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    });

    private readonly CancellationTokenSource _abandon = new();

    /// <summary>Why the last write failed; null when it did not.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Bytes of readings, overhead included, that wait for their commit.</summary>
    public long QueuedBytes => ((_permits - _room.GetStatistics()?.CurrentAvailablePermits) ?? 0) * PermitBytes;

    /// <summary>
    /// Queues readings. The task completes after their commit with, by index, why PostgreSQL refused one (null: stored).
    /// Null when there is no room.
    /// </summary>
    public Task<IReadOnlyList<string?>>? TryEnqueue(IReadOnlyList<Reading> readings)
    {
        var lease = _room.AttemptAcquire(PermitsOf(readings));
        return lease.IsAcquired ? Enqueue(readings, lease) : null;
    }

    /// <summary>Like <see cref="TryEnqueue"/>, but waits for room: the caller reads its connection no further meanwhile.</summary>
    public async ValueTask<Task<IReadOnlyList<string?>>> EnqueueAsync(IReadOnlyList<Reading> readings, CancellationToken cancellationToken)
    {
        var lease = await _room.AcquireAsync(PermitsOf(readings), cancellationToken);
        return Enqueue(readings, lease);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _submissions.Writer.TryComplete();
        try
        {
            await (ExecuteTask ?? Task.CompletedTask).WaitAsync(LongestDrain, time, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            LogAbandoned(_submissions.Reader.Count);
        }
        await _abandon.CancelAsync();
        await base.StopAsync(cancellationToken);
        while (_submissions.Reader.TryRead(out var submission))
            submission.Completion.TrySetCanceled(CancellationToken.None);
    }

    public override void Dispose()
    {
        _abandon.Dispose();
        _room.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Stopping means draining: the loop ends when the channel is completed and empty, or when StopAsync abandons it.
        var batch = new List<Submission>();
        var readings = new List<Reading>();
        try
        {
            while (await _submissions.Reader.WaitToReadAsync(_abandon.Token))
            {
                batch.Clear();
                readings.Clear();
                while (readings.Count < options.WriteBatchReadings && _submissions.Reader.TryRead(out var submission))
                {
                    batch.Add(submission);
                    readings.AddRange(submission.Readings);
                }
                await WriteAsync(batch, readings);
            }
        }
        catch (OperationCanceledException) when (_abandon.IsCancellationRequested)
        {
            foreach (var submission in batch)
                submission.Completion.TrySetCanceled(CancellationToken.None);
        }
    }

    private Task<IReadOnlyList<string?>> Enqueue(IReadOnlyList<Reading> readings, RateLimitLease lease)
    {
        var submission = new Submission(readings, lease, new(TaskCreationOptions.RunContinuationsAsynchronously));
        if (!_submissions.Writer.TryWrite(submission))
        {
            lease.Dispose();
            submission.Completion.TrySetCanceled(CancellationToken.None);
        }
        return submission.Completion.Task;
    }

    private async Task WriteAsync(List<Submission> batch, List<Reading> readings)
    {
        var refusals = await StoreAsync([.. readings]);
        var offset = 0;
        foreach (var submission in batch)
        {
            submission.Lease.Dispose();
            var count = submission.Readings.Count;
            submission.Completion.TrySetResult(count == refusals.Count ? refusals : [.. refusals.Skip(offset).Take(count)]);
            offset += count;
        }
    }

    private async Task<IReadOnlyList<string?>> StoreAsync(Reading[] readings)
    {
        var delay = TimeSpan.FromMilliseconds(100);
        while (true)
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                var refusals = await mediator.Send(new StoreReadings(readings), _abandon.Token);
                metrics.Committed(readings.Length, refusals.Count(r => r is not null), Stopwatch.GetElapsedTime(started));
                if (Trouble is not null)
                    LogRecovered();
                Trouble = null;
                return refusals;
            }
            catch (Exception exception) when (!_abandon.IsCancellationRequested)
            {
                // Whatever it is, an unacknowledged reading is not dropped: it waits, visibly, until the cause is gone.
                if (Trouble is null)
                    LogTrouble(exception, readings.Length);
                Trouble = exception.Message;
                metrics.CommitFailed();
                await Task.Delay(delay, time, _abandon.Token);
                delay = delay * 2 < LongestRetry ? delay * 2 : LongestRetry;
            }
        }
    }

    // A batch larger than the whole budget takes all of it, alone.
    private int PermitsOf(IReadOnlyList<Reading> readings)
    {
        var bytes = 0L;
        for (var i = 0; i < readings.Count; i++)
            bytes += readings[i].Payload.Length + ReadingOverheadBytes;
        return (int)Math.Clamp(bytes / PermitBytes, 1, _permits);
    }

    private sealed record Submission(IReadOnlyList<Reading> Readings, RateLimitLease Lease, TaskCompletionSource<IReadOnlyList<string?>> Completion);

    [LoggerMessage(2000, LogLevel.Error, "A batch of {Count} readings can't be stored; trying again until it can, without acknowledging")]
    private partial void LogTrouble(Exception exception, int count);

    [LoggerMessage(2001, LogLevel.Information, "Readings are stored again")]
    private partial void LogRecovered();

    [LoggerMessage(2002, LogLevel.Warning, "Stopped with {Count} submissions not stored and not acknowledged")]
    private partial void LogAbandoned(int count);
}
