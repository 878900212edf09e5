using System.Diagnostics.Metrics;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>Meter <c>IoT.Gateway</c>: what came in, what was stored, what was rejected.</summary>
internal sealed class IngestMetrics
{
    public const string MeterName = "IoT.Gateway";

    private readonly Counter<long> _received;
    private readonly Counter<long> _stored;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _commitFailures;
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _commitSeconds;

    public IngestMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _received = meter.CreateCounter<long>("iot.readings.received", "{reading}", "Readings that arrived, by protocol");
        _stored = meter.CreateCounter<long>("iot.readings.stored", "{reading}", "Readings committed to PostgreSQL");
        _rejected = meter.CreateCounter<long>("iot.readings.rejected", "{reading}", "Readings that were not taken, by protocol");
        _commitFailures = meter.CreateCounter<long>("iot.ingest.commit.failures", "{write}", "Writes to PostgreSQL that failed and were tried again");
        _batchSize = meter.CreateHistogram<int>("iot.ingest.batch.size", "{reading}", "Readings in one write to PostgreSQL");
        _commitSeconds = meter.CreateHistogram<double>("iot.ingest.commit.duration", "s", "Duration of one write to PostgreSQL");
    }

    public void Received(string protocol, int count) => _received.Add(count, new KeyValuePair<string, object?>("protocol", protocol));

    public void Rejected(string protocol, int count)
    {
        if (count > 0)
            _rejected.Add(count, new KeyValuePair<string, object?>("protocol", protocol));
    }

    public void Committed(int readings, int refused, TimeSpan duration)
    {
        _stored.Add(readings - refused);
        _batchSize.Record(readings);
        _commitSeconds.Record(duration.TotalSeconds);
    }

    public void CommitFailed() => _commitFailures.Add(1);
}
