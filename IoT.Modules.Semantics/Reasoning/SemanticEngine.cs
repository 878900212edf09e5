using IoT.Modules.Semantics.Conversion;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>
/// The knowledge and whose turn it is: one at a time, whether a request or the readings that came. Whoever has the turn sees everything
/// that came before it. When the knowledge fails it is thrown away and made anew; requests are told to come again, ingest notices nothing.
/// </summary>
internal sealed partial class SemanticEngine(
    LatestValues latest, InferenceTracker tracker, InferenceOutbox outbox, Converter converter, LiveFaults faults, TimeProvider time, ILogger<SemanticEngine> logger) : IDisposable
{
    /// <summary>So many are explained when they are raised at once; the rest when somebody asks, as long as they hold.</summary>
    private const int MostExplainedAtOnce = 5_000;

    // More don't get in line: they would wait longer than anybody asks for.
    private const int MostInLine = 1_000;

    // Who asks while the knowledge is being made waits so long for it.
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private Knowledge? _knowledge;
    private int _inLine;
    private bool _followsAll;
    private volatile TaskCompletionSource _running = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Null while it is being made.</summary>
    public Knowledge? Knowledge => Volatile.Read(ref _knowledge);

    public bool IsRunning => Knowledge is not null;

    /// <summary>In one's turn.</summary>
    public Versions Versions { get; } = new();

    /// <summary>Does something when it is its turn, on a thread of its own. Fails as unavailable while there is no knowledge.</summary>
    public Task<Outcome<T>> InTurnAsync<T>(Func<Knowledge, Outcome<T>> work, CancellationToken cancellationToken) => InTurnAsync(work, withUnwatched: true, cancellationToken);

    private async Task<Outcome<T>> InTurnAsync<T>(Func<Knowledge, Outcome<T>> work, bool withUnwatched, CancellationToken cancellationToken)
    {
        try
        {
            if (Interlocked.Increment(ref _inLine) > MostInLine)
                return new Failure(FailureKind.Busy, "Too many questions to the engine at once; try again in a moment.");
            if (withUnwatched && !IsRunning && !faults.Stands("engine"))
                await Task.WhenAny(_running.Task, Task.Delay(LongestStart, time, cancellationToken));
            await _turn.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _inLine);
        }
        try
        {
            return await Task.Run(
                () =>
                {
                    if (_knowledge is null)
                        return new Failure(FailureKind.Unavailable, faults.Standing.FirstOrDefault(f => f.Part == "engine").Reason ?? "Models, rules and latest values are being loaded; try again in a moment.");
                    try
                    {
                        Follow(_knowledge, withUnwatched);
                        return work(_knowledge);
                    }
                    catch (Exception exception) when (exception is not OperationCanceledException)
                    {
                        GiveUp(exception);
                        return new Failure(FailureKind.Unavailable, "The engine failed and is being made anew; try again in a moment.");
                    }
                }, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What came and a rule looks at is brought into the facts; the rest waits until somebody asks.</summary>
    public Task FollowAsync(CancellationToken cancellationToken) => InTurnAsync<Done>(static _ => default(Done), withUnwatched: false, cancellationToken);

    /// <summary>A knowledge with everything in it takes the place of what there is.</summary>
    public async Task StartAsync(Func<Knowledge> make, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await Task.Run(
                () =>
                {
                    Volatile.Write(ref _knowledge, null);
                    latest.MarkAllPending(time.GetTimestamp());
                    var knowledge = make();
                    knowledge.Apply(latest.Take(withUnwatched: true), latest.ValuesOf);
                    Versions.Reset();
                    tracker.Unconfirm();
                    foreach (var fact in knowledge.DerivedFacts())
                        tracker.Appear(fact.Key, fact.Rule, fact.Confidence, fact.Delays);
                    tracker.Confirm(knowledge.DelaysOf);
                    Tell(knowledge);
                    Volatile.Write(ref _knowledge, knowledge);
                    faults.Mend("engine");
                    _running.TrySetResult();
                }, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What it has may not be what the database has: it is made anew.</summary>
    public async Task StopAsync()
    {
        await _turn.WaitAsync();
        Renew();
        _turn.Release();
    }

    /// <summary>In one's turn: it is made anew, without what it has kept of things that are no longer there.</summary>
    public void Renew()
    {
        Volatile.Write(ref _knowledge, null);
        if (_running.Task.IsCompleted)
            _running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        latest.Wake();
    }

    /// <summary>In one's turn: a change of documents has happened.</summary>
    public void Changed(Knowledge knowledge, KnowledgeChange change)
    {
        Note(knowledge, change, isModel: true);
        // A value may have been put aside just before a rule came that looks at it.
        _followsAll = true;
        latest.Wake();
        converter.Follow(knowledge, Versions.Model);
    }

    /// <summary>When a wait of the tracker is over; null: none.</summary>
    public async Task<TimeSpan?> UntilDueAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            return tracker.UntilDue();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What holds, for a database that has lost track of it.</summary>
    public async Task<IReadOnlyList<InferenceEvent>> WhatHoldsAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            return [.. tracker.Raised()];
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private void Follow(Knowledge knowledge, bool withUnwatched)
    {
        Versions.Came(latest.TakeHours());
        var changes = latest.Take(withUnwatched || _followsAll);
        _followsAll = false;
        if (changes.Devices.Count + changes.Values.Count > 0)
            Note(knowledge, knowledge.Apply(changes, latest.ValuesOf), isModel: changes.Devices.Count > 0);
        else
            Tell(knowledge);
        converter.Follow(knowledge, Versions.Model);
    }

    private void Note(Knowledge knowledge, KnowledgeChange change, bool isModel)
    {
        Versions.Changed(change, isModel);
        foreach (var key in change.Vanished)
            tracker.Vanish(key);
        foreach (var fact in change.Appeared.Concat(change.Changed))
            tracker.Appear(fact.Key, fact.Rule, fact.Confidence, fact.Delays);
        Tell(knowledge);
    }

    private void Tell(Knowledge knowledge)
    {
        var events = tracker.TakeEvents();
        if (events.Count == 0)
            return;
        var explained = 0;
        outbox.Add([.. events.Select(e => new ExplainedEvent(e, e.IsRaised && explained++ < MostExplainedAtOnce ? knowledge.Explain(e.Key)?.Because : null))]);
    }

    private void GiveUp(Exception exception)
    {
        faults.Report("engine", $"The engine has failed: {exception.Message}");
        LogFailed(exception);
        Renew();
    }

    [LoggerMessage(4030, LogLevel.Error, "The engine has failed and will be made anew; readings are stored all the same")]
    private partial void LogFailed(Exception exception);
}
