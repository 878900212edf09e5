using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>
/// The broker's life: takes up what the last run left before anybody connects, keeps its times while it runs, and publishes the wills
/// that are due before it ends.
/// </summary>
internal sealed partial class MqttBroker(
    MqttListener listener, SessionStore sessions, RetainedStore retained, TopicTrie trie, TopicCache topics, WillPublisher wills, PublishPipeline pipeline,
    BrokerJournalWriter journal, SysTopics sys, MqttAccess access, IngestMetrics metrics, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<MqttBroker> logger)
    : IHostedService, INotificationHandler<DeviceAccessChanged>, INotificationHandler<ApiKeyRemoved>, IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    // In periods.
    private const int PublishSysEvery = 40;
    private const int SweepEvery = 240;

    private readonly CancellationTokenSource _stopping = new();
    private Task _ticking = Task.CompletedTask;
    private Task _publishing = Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var snapshot = await journal.LoadAsync(cancellationToken);
        foreach (var saved in snapshot.Retained)
        {
            if (Message.Of(saved, topics, time) is { } message)
                retained.Set(message);
        }
        sessions.Restore(snapshot, saved => Message.Of(saved, topics, time));
        if (snapshot.Sessions.Count + snapshot.Retained.Count > 0)
            LogRestored(snapshot.Sessions.Count, snapshot.Retained.Count);
        Observe();
        sys.Publish();
        _publishing = PublishWillsAsync();
        _ticking = TickAsync();
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _ticking;
        wills.Complete();
        await _publishing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stopping.Dispose();

    /// <summary>Connections made with a credential that has ended end too.</summary>
    public Task Handle(DeviceAccessChanged notification, CancellationToken cancellationToken) =>
        EndAccessOf(MqttIdentity.ScopeOfDevice(notification.DeviceId), "The device's access has changed.");

    public Task Handle(ApiKeyRemoved notification, CancellationToken cancellationToken) =>
        EndAccessOf(MqttIdentity.ScopeOfKey(notification.Name), "The API key has ended.");

    private Task EndAccessOf(string scope, string what)
    {
        foreach (var connection in listener.Connections)
        {
            if (connection.Identity?.Scope == scope)
                connection.End(Reason.NotAuthorized, what, dropsWill: true);
        }
        if (access.Identify(scope) is null)
            sessions.EndAllOf(scope);
        return Task.CompletedTask;
    }

    private async Task TickAsync()
    {
        using var timer = new PeriodicTimer(Period, time);
        // A start that was broken off disposes of everything without stopping it first.
        var stopping = _stopping.Token;
        try
        {
            for (var n = 1L; await timer.WaitForNextTickAsync(stopping); n++)
            {
                foreach (var connection in listener.Connections)
                    connection.Tick();
                sessions.Tick();
                journal.PostLate();
                if (n % PublishSysEvery == 0)
                    sys.Publish();
                if (n % SweepEvery == 0)
                    retained.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
        catch (Exception exception)
        {
            EndHost(exception);
        }
    }

    private async Task PublishWillsAsync()
    {
        try
        {
            await foreach (var will in wills.ReadAsync(CancellationToken.None))
            {
                if (topics.Get(System.Text.Encoding.UTF8.GetBytes(will.Packet.Topic)) is { } topic)
                    await pipeline.PublishAsync(will, topic, _stopping.IsCancellationRequested ? new CancellationToken(true) : CancellationToken.None);
            }
        }
        catch (Exception exception) when (exception is IngestLogFailedException or OperationCanceledException)
        {
            // Nothing can be taken in any more; the log's own failure is said and ends the host.
        }
        catch (Exception exception)
        {
            EndHost(exception);
        }
    }

    private void EndHost(Exception exception)
    {
        LogBroken(exception);
        Environment.ExitCode = 1;
        lifetime.StopApplication();
    }

    private void Observe()
    {
        metrics.Meter.CreateObservableGauge("iot.mqtt.connections", () => listener.Count, "{connection}", "MQTT connections that are open");
        metrics.Meter.CreateObservableGauge("iot.mqtt.sessions", () => sessions.Count, "{session}", "MQTT sessions, those of clients that are away included");
        metrics.Meter.CreateObservableGauge("iot.mqtt.subscriptions", () => trie.Count, "{subscription}", "MQTT subscriptions");
        metrics.Meter.CreateObservableGauge("iot.mqtt.retained", () => retained.Count, "{message}", "Retained MQTT messages");
        metrics.Meter.CreateObservableCounter("iot.mqtt.publishes.received", () => listener.Traffic.PublishesReceived, "{message}", "MQTT publishes that came in");
        metrics.Meter.CreateObservableCounter("iot.mqtt.publishes.sent", () => listener.Traffic.PublishesSent, "{message}", "MQTT publishes that went out to subscribers");
    }

    [LoggerMessage(2101, LogLevel.Information, "The broker takes up {Sessions} MQTT sessions and {Retained} retained messages")]
    private partial void LogRestored(int sessions, int retained);

    [LoggerMessage(2102, LogLevel.Critical, "The MQTT broker has failed, and the host stops")]
    private partial void LogBroken(Exception exception);
}
