using System.Threading.Channels;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Semantics.Inferences;

/// <summary>
/// Tells of inferences and writes them down, in order, behind the engine's back. While the database is away they wait here, up to a limit;
/// beyond it only what holds is written once it is back.
/// </summary>
internal sealed partial class InferenceOutbox(
    InferenceStore store, IMediator mediator, StorageReadiness readiness, LiveFaults faults, SemanticsOptions options, TimeProvider time, ILogger<InferenceOutbox> logger) : BackgroundService
{
    /// <summary>Most that wait. An explanation has a kilobyte or so.</summary>
    public const int MostWaiting = 500_000;

    private const int MostAtOnce = 10_000;
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PurgePeriod = TimeSpan.FromHours(1);

    // Bounded by Add, which sees what waits to be written too.
    private readonly Channel<ExplainedEvent> _events = Channel.CreateUnbounded<ExplainedEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Lock _lock = new();
    private readonly List<(long Number, TaskCompletionSource Done)> _waiters = [];
    private long _added;
    private long _written;
    private bool _hasLost;

    /// <summary>Events that are not in the database yet.</summary>
    public long Waiting => Interlocked.Read(ref _added) - Interlocked.Read(ref _written);

    public long Raised { get; private set; }

    public long Cleared { get; private set; }

    /// <summary>Who knows what holds, for a database that has lost track.</summary>
    public Func<CancellationToken, Task<IReadOnlyList<InferenceEvent>>> WhatHolds { get; set; } = _ => Task.FromResult<IReadOnlyList<InferenceEvent>>([]);

    public void Add(IReadOnlyList<ExplainedEvent> events)
    {
        foreach (var one in events)
        {
            if (Waiting >= MostWaiting)
            {
                // Those who listen are not told either: they would hear of the one and not of the other.
                Volatile.Write(ref _hasLost, true);
                continue;
            }
            Interlocked.Increment(ref _added);
            _events.Writer.TryWrite(one);
        }
    }

    /// <summary>Until what was added by now is in the database. False: not within that time.</summary>
    public async Task<bool> WrittenAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (Waiting == 0)
                return true;
            _waiters.Add((Interlocked.Read(ref _added), done));
        }
        try
        {
            await done.Task.WaitAsync(patience, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        var purged = time.GetTimestamp();
        var batch = new List<ExplainedEvent>();
        while (await _events.Reader.WaitToReadAsync(stoppingToken))
        {
            while (batch.Count < MostAtOnce && _events.Reader.TryRead(out var one))
                batch.Add(one);
            foreach (var one in batch)
                await PublishAsync(one, stoppingToken);
            await WriteAsync(batch, stoppingToken);
            batch.Clear();
            if (time.GetElapsedTime(purged) > PurgePeriod)
            {
                await PurgeAsync(stoppingToken);
                purged = time.GetTimestamp();
            }
        }
    }

    private async Task PublishAsync(ExplainedEvent one, CancellationToken cancellationToken)
    {
        var (happened, because) = (one.Event, one.Because);
        var inference = new Inference(
            happened.Id, happened.Key.Subject, happened.Key.Predicate, happened.Key.Object, happened.Rule, happened.Confidence, happened.RaisedAt, happened.ClearedAt, because);
        var (type, id) = Names.TopicOf(happened.Key.Subject);
        if (happened.IsRaised)
            Raised++;
        else
            Cleared++;
        try
        {
            await mediator.Publish(new InferenceChanged(inference, type, id, InferenceJson.Of(inference)), cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogNotTold(exception, happened.Key.Subject);
        }
    }

    private async Task WriteAsync(List<ExplainedEvent> batch, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await store.WriteAsync(batch, cancellationToken);
                if (Volatile.Read(ref _hasLost) && _events.Reader.Count == 0)
                {
                    Volatile.Write(ref _hasLost, false);
                    var active = await WhatHolds(cancellationToken);
                    await store.ReplaceActiveAsync(active, time.GetUtcNow().UtcDateTime, cancellationToken);
                    LogLost(active.Count);
                }
                faults.Mend("inferences");
                Written(batch.Count);
                return;
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                if (faults.Report("inferences", $"Inferences can't be written to the database: {exception.Message}"))
                    LogNotWritten(exception, Waiting);
                await Task.Delay(Retry, time, cancellationToken);
            }
        }
    }

    private async Task PurgeAsync(CancellationToken cancellationToken)
    {
        try
        {
            var gone = await store.PurgeAsync(time.GetUtcNow().UtcDateTime.AddDays(-options.InferenceDays), options.MaxPastInferences, cancellationToken);
            if (gone > 0)
                LogPurged(gone);
        }
        catch (System.Data.Common.DbException exception)
        {
            // The next hour's turn.
            LogNotPurged(exception.Message);
        }
    }

    private void Written(int count)
    {
        lock (_lock)
        {
            var written = Interlocked.Add(ref _written, count);
            foreach (var (_, done) in _waiters.Where(w => w.Number <= written))
                done.TrySetResult();
            _waiters.RemoveAll(w => w.Number <= written);
        }
    }

    [LoggerMessage(4020, LogLevel.Error, "Those who listen could not be told of an inference about {Subject}")]
    private partial void LogNotTold(Exception exception, string subject);

    [LoggerMessage(4021, LogLevel.Error, "Inferences can't be written to the database; {Count} wait")]
    private partial void LogNotWritten(Exception exception, long count);

    [LoggerMessage(4022, LogLevel.Warning, "More inferences came than could wait for the database; it has the {Count} that hold now")]
    private partial void LogLost(int count);

    [LoggerMessage(4023, LogLevel.Information, "{Count} past inferences are older or more than is kept and are gone")]
    private partial void LogPurged(long count);

    [LoggerMessage(4024, LogLevel.Warning, "Past inferences could not be looked through: {Reason}")]
    private partial void LogNotPurged(string reason);
}
