using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Documents;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Semantics.Live;

/// <summary>
/// Loads model, rules, registry and latest values when the host starts, then brings what comes into the facts, writes latest values and
/// inferences down, and makes the engine anew when it has failed.
/// </summary>
internal sealed partial class SemanticsService(
    StorageReadiness readiness, DocumentStore documents, LatestValues latest, LatestValueStore values, InferenceStore inferences, InferenceTracker tracker,
    InferenceOutbox outbox, SemanticEngine engine, KnowledgeFactory factory, LiveFaults faults, SemanticsOptions options, IMediator mediator, TimeProvider time, ILogger<SemanticsService> logger)
    : BackgroundService
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestLastSave = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RegistryPeriod = TimeSpan.FromMinutes(5);

    private bool _isLoaded;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await readiness.Ready.WaitAsync(stoppingToken);
            outbox.WhatHolds = engine.WhatHoldsAsync;
            await UntilItWorksAsync("latest", () => values.LoadAsync(stoppingToken), stoppingToken);
            _isLoaded = true;
            await UntilItWorksAsync("registry", () => ReadRegistryAsync(stoppingToken), stoppingToken);
            await UntilItWorksAsync("inferences", () => LoadInferencesAsync(stoppingToken), stoppingToken);
            await Task.WhenAll(FollowAsync(stoppingToken), SaveAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What is not written is read from the readings by the next start; a little of it less with this.
            if (_isLoaded)
                await SaveLastAsync();
        }
    }

    /// <summary>In turn, as things come or waits end; a failed engine is made anew.</summary>
    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (!engine.IsRunning)
                await UntilItWorksAsync("engine", () => StartEngineAsync(cancellationToken), cancellationToken);
            var began = time.GetTimestamp();
            await engine.FollowAsync(cancellationToken);
            // At most a third of one processor: of values that change meanwhile only the latest is followed.
            var pause = time.GetElapsedTime(began) * 2;
            if (pause > ShortestPause)
                await Task.Delay(pause < LongestPause ? pause : LongestPause, time, cancellationToken);
            var due = await engine.UntilDueAsync(cancellationToken);
            await latest.WaitAsync(due is { } wait && wait < LongestWait ? wait : LongestWait, cancellationToken);
        }
    }

    private async Task SaveAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.LatestValuesSeconds), time);
        var listed = time.GetTimestamp();
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            await TryAsync("latest", () => values.SaveAsync(cancellationToken), cancellationToken);
            if (time.GetElapsedTime(listed) < RegistryPeriod)
                continue;
            await TryAsync("registry", () => ReadRegistryAsync(cancellationToken), cancellationToken);
            listed = time.GetTimestamp();
        }
    }

    private async Task SaveLastAsync()
    {
        using var patience = new CancellationTokenSource(LongestLastSave, time);
        // A PostgreSQL that takes connections and says nothing is not waited for, whatever becomes of the cancellation.
        await TryAsync("latest", () => values.SaveAsync(patience.Token).WaitAsync(LongestLastSave, time, CancellationToken.None), CancellationToken.None);
    }

    private async Task StartEngineAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var stored = new List<StoredDocument>();
        foreach (var kind in Enum.GetValues<DocumentKind>())
        {
            foreach (var version in await documents.ListAsync(kind, cancellationToken))
            {
                if (await documents.ReadAsync(kind, version.Name, null, cancellationToken) is { } document)
                    stored.Add(document);
            }
        }
        await engine.StartAsync(() => factory.Make(stored, cancellationToken), cancellationToken);
        LogStarted(stored.Count, engine.Knowledge?.Asserted ?? 0, engine.Knowledge?.Derived ?? 0, (long)time.GetElapsedTime(started).TotalMilliseconds);
    }

    private async Task LoadInferencesAsync(CancellationToken cancellationToken)
    {
        foreach (var inference in await inferences.ActiveAsync(cancellationToken))
            tracker.Load(inference.Id, new InferenceKey(inference.Subject, inference.Predicate, inference.Value), inference.Rule, inference.Confidence, inference.RaisedAt);
    }

    /// <summary>The registry, page by page. What is told of a device meanwhile is newer than its page.</summary>
    private async Task ReadRegistryAsync(CancellationToken cancellationToken)
    {
        latest.BeginRegistry();
        var known = new HashSet<string>(StringComparer.Ordinal);
        string? cursor = null;
        do
        {
            var page = await mediator.Send(new ListDevices(Limit: ListDevices.MaxLimit, Cursor: cursor), cancellationToken);
            if (page.Failure is { } failure)
                throw new InvalidOperationException(failure.Detail);
            foreach (var device in page.Value.Items)
            {
                known.Add(device.Id);
                latest.SetListed(device.Id, device.Type, device.Location, time.GetTimestamp());
            }
            cursor = page.Value.NextCursor;
        }
        while (cursor is not null);
        latest.EndRegistry(known, time.GetTimestamp());
    }

    private async Task UntilItWorksAsync(string part, Func<Task> work, CancellationToken cancellationToken)
    {
        while (!await TryAsync(part, work, cancellationToken))
            await Task.Delay(Retry, time, cancellationToken);
    }

    private async Task<bool> TryAsync(string part, Func<Task> work, CancellationToken cancellationToken)
    {
        try
        {
            await work();
            faults.Mend(part);
            return true;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            if (faults.Report(part, exception.Message))
                LogTrouble(exception, part);
            return false;
        }
    }

    [LoggerMessage(4040, LogLevel.Information, "{Documents} models and rules: {Asserted} facts, {Derived} derived, in {Milliseconds} ms")]
    private partial void LogStarted(int documents, long asserted, long derived, long milliseconds);

    [LoggerMessage(4041, LogLevel.Error, "Semantics ({Part}) can't go on and tries again")]
    private partial void LogTrouble(Exception exception, string part);
}
