using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>Meter <c>IoT.Gateway</c>: what came in, what was stored, what was rejected.</summary>
internal sealed class IngestMetrics
{
    public const string MeterName = "IoT.Gateway";

    private readonly ConcurrentDictionary<string, StrongBox<long>> _received = new(StringComparer.Ordinal);
    private readonly Counter<long> _stored;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _cacheHits;
    private readonly Counter<long> _cacheMisses;
    private readonly Counter<long> _quarantined;
    private readonly Counter<long> _throttled;
    private readonly UpDownCounter<long> _held;
    private readonly Counter<long> _refusedConnections;
    private readonly Counter<long> _storeFailures;
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _storeSeconds;

    public IngestMetrics(IMeterFactory meters)
    {
        Meter = meters.Create(MeterName);
        // Asked for, not told: a counter with a tag, told of every publish, costs more than a lock of the ingest log.
        Meter.CreateObservableCounter(
            "iot.readings.received",
            () => _received.Select(of => new Measurement<long>(Volatile.Read(ref of.Value.Value), new KeyValuePair<string, object?>("protocol", of.Key))),
            "{reading}", "Readings that arrived, by protocol");
        _stored = Meter.CreateCounter<long>("iot.readings.stored", "{reading}", "Readings committed to PostgreSQL");
        _rejected = Meter.CreateCounter<long>("iot.readings.rejected", "{reading}", "Readings that were not taken, by protocol");
        _duplicates = Meter.CreateCounter<long>("iot.readings.duplicate", "{reading}", "Readings whose message id was known, by where it was found: cache or database");
        _cacheHits = Meter.CreateCounter<long>("iot.message_cache.hits", "{reading}", "Readings with a message id that was known in memory");
        _cacheMisses = Meter.CreateCounter<long>("iot.message_cache.misses", "{reading}", "Readings with a message id that was not known in memory");
        _quarantined = Meter.CreateCounter<long>("iot.readings.quarantined", "{reading}", "Readings that were acknowledged and can't be stored");
        _throttled = Meter.CreateCounter<long>("iot.readings.throttled", "{reading}", "Readings over their device's rate, by protocol: rejected over HTTP, delayed over MQTT");
        _held = Meter.CreateUpDownCounter<long>("iot.mqtt.connections.held", "{connection}", "MQTT connections that are read no further just now because a device is over its rate");
        _refusedConnections = Meter.CreateCounter<long>("iot.connections.refused", "{connection}", "Connections over the limit, by protocol");
        _storeFailures = Meter.CreateCounter<long>("iot.drain.failures", "{write}", "Writes to PostgreSQL that failed, by kind: passing (tried again soon) or lasting (the lane has stopped)");
        _batchSize = Meter.CreateHistogram<int>("iot.drain.batch.size", "{reading}", "Readings in one write to PostgreSQL");
        _storeSeconds = Meter.CreateHistogram<double>("iot.drain.duration", "s", "Duration of one write to PostgreSQL");
    }

    public Meter Meter { get; }

    public void Received(string protocol, int count) => Interlocked.Add(ref _received.GetOrAdd(protocol, static _ => new StrongBox<long>()).Value, count);

    public void Rejected(string protocol, int count)
    {
        if (count > 0)
            _rejected.Add(count, new KeyValuePair<string, object?>("protocol", protocol));
    }

    public void Throttled(string protocol, int count)
    {
        if (count > 0)
            _throttled.Add(count, new KeyValuePair<string, object?>("protocol", protocol));
    }

    public void Held(int change) => _held.Add(change);

    public void ConnectionRefused(string protocol) => _refusedConnections.Add(1, new KeyValuePair<string, object?>("protocol", protocol));

    public void LookedUp(int hits, int misses)
    {
        _cacheMisses.Add(misses);
        if (hits == 0)
            return;
        _cacheHits.Add(hits);
        _duplicates.Add(hits, new KeyValuePair<string, object?>("found", "cache"));
    }

    public void Observe(MessageCache cache)
    {
        Meter.CreateObservableGauge("iot.message_cache.entries", () => cache.Count, "{id}", "Message ids known in memory");
        Meter.CreateObservableGauge("iot.message_cache.size", () => cache.Bytes, "By", "Memory that they take, about");
    }

    public void Stored(StoreResult result, TimeSpan duration)
    {
        _stored.Add(result.Stored);
        if (result.Duplicates > 0)
            _duplicates.Add(result.Duplicates, new KeyValuePair<string, object?>("found", "database"));
        if (result.Quarantined > 0)
            _quarantined.Add(result.Quarantined);
        _batchSize.Record(result.Stored + result.Duplicates + result.Quarantined);
        _storeSeconds.Record(duration.TotalSeconds);
    }

    public void StoreFailed(bool lasts) => _storeFailures.Add(1, new KeyValuePair<string, object?>("kind", lasts ? "lasting" : "passing"));

    public void Observe(BrokerStateWriter writer)
    {
        Meter.CreateObservableGauge("iot.mqtt.state.size", () => writer.State.SizeBytes, "By", "Disk that MQTT sessions, their queues and retained messages take");
        Meter.CreateObservableGauge("iot.mqtt.state.behind", () => writer.Behind, "{record}", "Records of the ingest log that the MQTT state has not seen yet, readings among them");
    }

    public void Observe(Drain drain)
    {
        Meter.CreateObservableGauge("iot.drain.lanes.stopped", () => drain.StoppedLanes, "{lane}", "Lanes that write no more until somebody mends something");
        Meter.CreateObservableGauge("iot.drain.backlog", () => drain.Backlog, "{reading}", "Acknowledged readings that are not in PostgreSQL yet, about");
    }
}
