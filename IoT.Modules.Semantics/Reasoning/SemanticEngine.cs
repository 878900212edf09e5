using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Infer;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>
/// The reasoner and whose turn it is: one at a time, whether a request or the readings that came. Whoever has the turn sees everything
/// that came before it. When the reasoner fails it is thrown away and made anew; requests are told to come again, ingest notices nothing.
/// </summary>
internal sealed partial class SemanticEngine(
    LatestValues latest, InferenceTracker tracker, InferenceOutbox outbox, InferCache cache, LiveFaults faults, TimeProvider time, ILogger<SemanticEngine> logger) : IDisposable
{
    /// <summary>So many are explained when they are raised at once; the rest when somebody asks, as long as they hold.</summary>
    private const int MostExplainedAtOnce = 5_000;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Dictionary<string, long> _changedAt = new(StringComparer.Ordinal);
    private Reasoner? _reasoner;
    private long _version;
    private long _modelVersion;
    private long _placesVersion;

    /// <summary>Null while it is being made.</summary>
    public Reasoner? Reasoner => Volatile.Read(ref _reasoner);

    public bool IsRunning => Reasoner is not null;

    /// <summary>Does something when it is its turn, on a thread of its own. Fails as unavailable while there is no reasoner.</summary>
    public async Task<Outcome<T>> InTurnAsync<T>(Func<Reasoner, Outcome<T>> work, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(
                () =>
                {
                    if (_reasoner is null)
                        return new Failure(FailureKind.Unavailable, faults.Standing.FirstOrDefault(f => f.Part == "engine").Reason ?? "Models, rules and latest values are being loaded; try again in a moment.");
                    try
                    {
                        Follow(_reasoner);
                        return work(_reasoner);
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

    /// <summary>What came is brought into the facts.</summary>
    public Task FollowAsync(CancellationToken cancellationToken) => InTurnAsync<Done>(static _ => default(Done), cancellationToken);

    /// <summary>A reasoner with everything in it takes the place of what there is.</summary>
    public async Task StartAsync(Func<Reasoner> make, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await Task.Run(
                () =>
                {
                    Volatile.Write(ref _reasoner, null);
                    latest.MarkAllPending(time.GetTimestamp());
                    var reasoner = make();
                    reasoner.Apply(latest.Take(), latest.ValuesOf);
                    _modelVersion++;
                    _changedAt.Clear();
                    tracker.Unconfirm();
                    foreach (var fact in reasoner.DerivedFacts())
                        tracker.Appear(fact.Key, fact.Rule, fact.Confidence, reasoner.DelaysOf(fact.Rule));
                    tracker.Confirm(reasoner.DelaysOf);
                    Tell(reasoner);
                    Volatile.Write(ref _reasoner, reasoner);
                    faults.Mend("engine");
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
        Volatile.Write(ref _reasoner, null);
        _turn.Release();
        latest.Wake();
    }

    /// <summary>In one's turn: a change of documents has happened.</summary>
    public void Changed(Reasoner reasoner, ReasonerChange change)
    {
        _modelVersion++;
        Note(reasoner, change);
    }

    /// <summary>In one's turn: whether what an answer was made of is still so.</summary>
    public bool IsCurrent(AnswerSources sources) =>
        sources.ModelVersion == Sources([]).ModelVersion && sources.Subjects.All(subject => _changedAt.GetValueOrDefault(subject) <= sources.Version);

    /// <summary>In one's turn: what an answer is made of that reads the facts of these.</summary>
    public AnswerSources Sources(IReadOnlyCollection<string> subjects, long? from = null, long? to = null) => new(subjects, _version, _modelVersion + _placesVersion, from, to);

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

    private void Follow(Reasoner reasoner)
    {
        if (latest.TakeSpan() is { } span)
            cache.ReadingsCame(span.From, span.To);
        var changes = latest.Take();
        if (changes.Devices.Count > 0)
            _modelVersion++;
        if (changes.Devices.Count + changes.Values.Count > 0)
            Note(reasoner, reasoner.Apply(changes, latest.ValuesOf));
        else
            Tell(reasoner);
    }

    private void Note(Reasoner reasoner, ReasonerChange change)
    {
        _version++;
        if (change.IsPlacing)
            _placesVersion++;
        foreach (var subject in change.Subjects)
            _changedAt[subject] = _version;
        foreach (var key in change.Vanished)
            tracker.Vanish(key);
        foreach (var fact in change.Appeared)
            tracker.Appear(fact.Key, fact.Rule, fact.Confidence, reasoner.DelaysOf(fact.Rule));
        Tell(reasoner);
    }

    private void Tell(Reasoner reasoner)
    {
        var events = tracker.TakeEvents();
        if (events.Count == 0)
            return;
        var explained = 0;
        outbox.Add([.. events.Select(e => new ExplainedEvent(e, e.IsRaised && explained++ < MostExplainedAtOnce ? reasoner.Explain(e.Key)?.Because : null))]);
    }

    private void GiveUp(Exception exception)
    {
        Volatile.Write(ref _reasoner, null);
        faults.Report("engine", $"The engine has failed: {exception.Message}");
        LogFailed(exception);
        latest.Wake();
    }

    [LoggerMessage(4030, LogLevel.Error, "The engine has failed and will be made anew; readings are stored all the same")]
    private partial void LogFailed(Exception exception);
}
