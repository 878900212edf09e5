using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Summaries;

/// <summary>Readings into stats of five minutes. Not for several threads at once.</summary>
internal sealed class ReadingStats
{
    private readonly PayloadMetrics _payloads = new();
    private readonly List<(PayloadMetrics.Node Metric, double Value)> _numbers = [];
    private long _batch;

    public StatTable Table { get; } = new();

    /// <summary>Forgets what it has, names apart.</summary>
    public void Begin()
    {
        Table.Clear();
        _batch++;
    }

    /// <param name="order">Smaller: arrived earlier.</param>
    public void Add(Guid device, DateTime timestamp, string dataType, ReadOnlySpan<byte> payload, long order)
    {
        var at = timestamp.Ticks;
        var bucket = at - at % StatTable.FineTicks;
        // The reading itself, whatever is in it.
        Table.Add(new StatKey(device, Table.KindOf(dataType, ""), bucket), Stat.Of(0, at, order));
        _payloads.Read(payload, _numbers);
        foreach (var (metric, value) in _numbers)
        {
            var known = metric.Known;
            if (known.Batch != _batch || !ReferenceEquals(known.DataType, dataType))
                metric.Known = known = (_batch, dataType, Table.KindOf(dataType, metric.Path));
            Table.Add(new StatKey(device, known.Kind, bucket), Stat.Of(value, at, order));
        }
    }

    public void Add(in Reading reading, long order) => Add(reading.Device.Uuid, reading.Timestamp, reading.DataType, reading.Payload.Span, order);
}
