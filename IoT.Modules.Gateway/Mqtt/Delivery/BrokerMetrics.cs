using System.Diagnostics.Metrics;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt.Sessions;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Mqtt.Delivery;

/// <summary>Counts of the broker, for <c>/metrics</c>, <c>$SYS</c> and the alarms.</summary>
internal sealed partial class BrokerMetrics(IngestMetrics ingest, TimeProvider time, ILogger<BrokerMetrics> logger)
{
    // An alarm stands so long after the last of its kind.
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    private readonly Counter<long> _dropped = ingest.Meter.CreateCounter<long>("iot.mqtt.messages.dropped", "{message}", "Messages that a subscriber does not get, by reason: slow (QoS 0 over its queue), cut (QoS 1 and 2 over its queue), expired; will (too many wills waited for the ingest log)");
    private readonly Counter<long> _ended = ingest.Meter.CreateCounter<long>("iot.mqtt.connections.ended", "{connection}", "MQTT connections that the platform ended, by reason");

    private long _droppedCount;
    private long _cutCount;
    private long _cutAt;
    private string _cutClient = "";

    /// <summary>Messages with QoS 0 that slow subscribers did not get.</summary>
    public long DroppedCount => Interlocked.Read(ref _droppedCount);

    /// <summary>Messages with QoS 1 and 2 that were cut from a backlog.</summary>
    public long CutCount => Interlocked.Read(ref _cutCount);

    /// <summary>The client whose backlog was cut last, if that was not long ago.</summary>
    public string? CutClient => Interlocked.Read(ref _cutAt) is var at and not 0 && time.GetElapsedTime(at) < Memory ? Volatile.Read(ref _cutClient) : null;

    public void Dropped(int count)
    {
        if (count == 0)
            return;
        Interlocked.Add(ref _droppedCount, count);
        _dropped.Add(count, new KeyValuePair<string, object?>("reason", "slow"));
    }

    public void Expired() => _dropped.Add(1, new KeyValuePair<string, object?>("reason", "expired"));

    public void WillDropped() => _dropped.Add(1, new KeyValuePair<string, object?>("reason", "will"));

    public void Cut(Session session, int count)
    {
        Interlocked.Add(ref _cutCount, count);
        _dropped.Add(count, new KeyValuePair<string, object?>("reason", "cut"));
        Volatile.Write(ref _cutClient, $"{session.Scope}/{session.ClientId}");
        Interlocked.Exchange(ref _cutAt, time.GetTimestamp());
        LogCut(session.Scope, session.ClientId, count);
    }

    public void Ended(string reason) => _ended.Add(1, new KeyValuePair<string, object?>("reason", reason));

    [LoggerMessage(2120, LogLevel.Warning, "The backlog of MQTT session {Scope}/{ClientId} is over its bound: the oldest {Count} messages are cut")]
    private partial void LogCut(string scope, string clientId, int count);
}
