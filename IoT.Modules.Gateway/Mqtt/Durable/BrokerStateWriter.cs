using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// Brings the broker's changes from the ingest log into its state, about once a second: what was undone meanwhile is not written at all.
/// A state that can't be written is tried again; one that is damaged is given up until the next start. Readings never wait for it.
/// </summary>
internal sealed partial class BrokerStateWriter : BackgroundService
{
    private const int ChangesAtOnce = 20_000;
    private const long WalBytes = 16 * 1024 * 1024;

    private static readonly TimeSpan Gathering = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GatheringStep = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    // How often the position moves without changes, and the write-ahead log is brought into the file: the ingest log is trimmed behind it.
    private static readonly TimeSpan CheckpointPeriod = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ExpiryPeriod = TimeSpan.FromMinutes(1);

    // The broker drops messages at their time; what is left in the file so much later it will not ask for.
    private static readonly TimeSpan ExpiryGrace = TimeSpan.FromHours(1);

    private readonly IngestLogService _service;
    private readonly BrokerFeed _feed;
    private readonly LogTrim _trim;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private BrokerSnapshot? _snapshot;
    private long _checkpointed;
    private long _expired;
    private bool _isFull;

    public BrokerStateWriter(DataOptions data, GatewayOptions options, IngestLogService service, BrokerFeed feed, LogTrim trim, IngestMetrics metrics, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<BrokerStateWriter> logger)
    {
        (_service, _feed, _trim, _lifetime, _time, _logger) = (service, feed, trim, lifetime, time, logger);
        State = new BrokerState(Path.GetFullPath(Path.Combine(data.Directory, "mqtt")), options.MqttStateMiB * 1024L * 1024, time, logger);
        metrics.Observe(this);
    }

    public BrokerState State { get; }

    /// <summary>Why the state can't be written, and since when; null when it can.</summary>
    public (string Reason, DateTimeOffset Since)? Fault { get; private set; }

    /// <summary>Records of the log that are not in the state yet, readings among them.</summary>
    public long Behind => State.IsGivenUp ? 0 : Math.Max(0, _service.Log.DurableSequence - State.Position);

    /// <summary>Once: what was found at the start.</summary>
    public BrokerSnapshot TakeSnapshot() => Interlocked.Exchange(ref _snapshot, null) ?? throw new InvalidOperationException("The broker's state was loaded already, or is not open yet.");

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            _snapshot = State.Open(_service.Log);
        }
        catch (Exception exception) when (StateFault.IsFatal(exception))
        {
            throw new StartupException($"The disk under {State.Directory} has failed: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            // Without it, sessions live in memory: better than to refuse readings. Ids that are larger than any of the file's, in case it comes back.
            var ids = _time.GetUtcNow().Ticks;
            _snapshot = BrokerSnapshot.Empty with { NextSessionId = ids, NextMessageId = ids };
            State.GiveUp(exception);
        }
        // What the file could not take at the start is in the log only.
        _feed.PutBack(_service.Log.DurableSequence);
        _trim.Broker(State.IsGivenUp ? long.MaxValue : State.SafePosition);
        _checkpointed = _expired = _time.GetTimestamp();
        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        State.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (!stoppingToken.IsCancellationRequested && !State.IsGivenUp)
            {
                await GatherAsync(stoppingToken);
                if (!Advance())
                    await RetryAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What has come in meanwhile is still written.
        }
        catch (IngestLogFailedException)
        {
            // IngestLogService says so and ends the host.
            return;
        }
        if (!State.IsGivenUp && Fault is null)
            Finish();
    }

    /// <summary>Until there is something to write, and a little longer; or until it is time for a checkpoint.</summary>
    private async Task GatherAsync(CancellationToken stoppingToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var due = CheckpointPeriod - _time.GetElapsedTime(_checkpointed);
        var pause = Task.Delay(due > TimeSpan.Zero ? due : TimeSpan.Zero, _time, enough.Token);
        await Task.WhenAny(_feed.WaitAsync(), pause);
        await enough.CancelAsync();
        stoppingToken.ThrowIfCancellationRequested();
        for (var waited = TimeSpan.Zero; waited < Gathering && !_feed.IsHalfFull; waited += GatheringStep)
            await Task.Delay(GatheringStep, _time, stoppingToken);
    }

    private async Task RetryAsync(CancellationToken stoppingToken)
    {
        for (var retry = TimeSpan.FromMilliseconds(100); !State.IsGivenUp; retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry)
        {
            await Task.Delay(retry, _time, stoppingToken);
            if (Advance())
                return;
        }
    }

    /// <summary>Writes everything that is on disk in the log. False when it can't be written now.</summary>
    private bool Advance() => Try(() =>
    {
        var log = _service.Log;
        if (_isFull)
            State.FreeAhead(log, log.DurableSequence);
        for (var upTo = log.DurableSequence; State.Position < upTo;)
        {
            var before = State.Position;
            var changes = new List<BrokerChange>();
            if (_feed.Take(before, upTo, ChangesAtOnce, changes) is { } reached)
                Write(changes, log, reached);
            else
                State.CatchUp(log, upTo);
            if (State.Position == before)
                break; // Only readings: the next checkpoint moves the position.
        }
        var isDue = _time.GetElapsedTime(_checkpointed) >= CheckpointPeriod;
        if (isDue && log.DurableSequence is var durable && _feed.Take(State.Position, durable, 0, []) == durable)
            State.Apply([], log, durable);
        if (isDue || State.WalBytes > WalBytes)
            Checkpoint();
    });

    private void Write(List<BrokerChange> changes, DurableLog log, long reached)
    {
        if (changes.Count == 0)
            return;
        try
        {
            State.Apply(changes, log, reached);
        }
        catch
        {
            _feed.PutBack(reached);
            throw;
        }
    }

    private void Checkpoint()
    {
        if (_time.GetElapsedTime(_expired) >= ExpiryPeriod)
        {
            State.ExpireMessages(_time.GetUtcNow().UtcDateTime - ExpiryGrace);
            _expired = _time.GetTimestamp();
        }
        if (!State.Checkpoint())
            return;
        _checkpointed = _time.GetTimestamp();
        _trim.Broker(State.SafePosition);
    }

    private void Finish() => Try(() =>
    {
        var log = _service.Log;
        var upTo = log.DurableSequence;
        State.CatchUp(log, upTo);
        Checkpoint();
    });

    private bool Try(Action work)
    {
        try
        {
            work();
            _isFull = false;
            if (Fault is { } ended)
            {
                Fault = null;
                LogMended((long)(_time.GetUtcNow() - ended.Since).TotalSeconds);
            }
            return true;
        }
        catch (Exception exception) when (StateFault.IsDamage(exception))
        {
            State.GiveUp(exception);
            _trim.Broker(long.MaxValue);
            return false;
        }
        catch (Exception exception) when (StateFault.IsFatal(exception))
        {
            LogFatal(exception, exception.Message);
            Environment.ExitCode = 1;
            _lifetime.StopApplication();
            State.GiveUp(exception);
            return false;
        }
        catch (Exception exception) when (exception is SqliteException or IOException)
        {
            if (Fault is null)
                LogFailed(exception, exception.Message);
            Fault = (exception.Message, Fault?.Since ?? _time.GetUtcNow());
            _isFull = StateFault.IsFull(exception);
            _trim.Broker(State.SafePosition, fails: true);
            return false;
        }
    }

    [LoggerMessage(2310, LogLevel.Error, "The MQTT state can't be written; it stays in the ingest log, and is tried again. {Reason}")]
    private partial void LogFailed(Exception exception, string reason);

    [LoggerMessage(2311, LogLevel.Information, "The MQTT state is written again, after {Seconds} s")]
    private partial void LogMended(long seconds);

    [LoggerMessage(2312, LogLevel.Critical, "The disk has failed under the MQTT state, and the host stops: {Reason}")]
    private partial void LogFatal(Exception exception, string reason);
}
