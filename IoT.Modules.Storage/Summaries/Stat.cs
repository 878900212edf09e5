using System.Runtime.InteropServices;

namespace IoT.Modules.Storage.Summaries;

/// <summary>Which device, data_type and metric (as a number of the batch's own), and when the bucket begins, in UTC ticks.</summary>
internal readonly record struct StatKey(Guid Device, int Kind, long Bucket);

/// <summary>What a bucket has seen. Times are UTC ticks; of several values at one time the order of arrival decides.</summary>
internal struct Stat
{
    public long Count;
    public double Sum;
    public double Min;
    public double Max;
    public double First;
    public long FirstAt;
    public long FirstOrder;
    public double Last;
    public long LastAt;
    public long LastOrder;

    /// <param name="order">Smaller: arrived earlier.</param>
    public static Stat Of(double value, long at, long order) => new()
    {
        Count = 1, Sum = value, Min = value, Max = value,
        First = value, FirstAt = at, FirstOrder = order,
        Last = value, LastAt = at, LastOrder = order,
    };

    public void Add(in Stat other)
    {
        if (Count == 0)
        {
            this = other;
            return;
        }
        Count += other.Count;
        Sum += other.Sum;
        Min = Math.Min(Min, other.Min);
        Max = Math.Max(Max, other.Max);
        if (other.FirstAt < FirstAt || (other.FirstAt == FirstAt && other.FirstOrder < FirstOrder))
            (First, FirstAt, FirstOrder) = (other.First, other.FirstAt, other.FirstOrder);
        if (other.LastAt > LastAt || (other.LastAt == LastAt && other.LastOrder >= LastOrder))
            (Last, LastAt, LastOrder) = (other.Last, other.LastAt, other.LastOrder);
    }
}

/// <summary>Stats by key, and the numbers that stand for data_type and metric. Kinds count from 1, as PostgreSQL's arrays do.</summary>
internal sealed class StatTable
{
    public const long FineTicks = 5 * TimeSpan.TicksPerMinute;

    private readonly Dictionary<(string DataType, string Metric), int> _kinds = [];

    public Dictionary<StatKey, Stat> Stats { get; } = [];

    public List<string> DataTypes { get; } = [];

    public List<string> Metrics { get; } = [];

    /// <summary>Metric <c>''</c>: how many readings.</summary>
    public bool IsCountOfReadings(int kind) => Metrics[kind - 1].Length == 0;

    public int KindOf(string dataType, string metric)
    {
        ref var kind = ref CollectionsMarshal.GetValueRefOrAddDefault(_kinds, (dataType, metric), out var isKnown);
        if (!isKnown)
        {
            DataTypes.Add(dataType);
            Metrics.Add(metric);
            kind = Metrics.Count;
        }
        return kind;
    }

    public void Add(StatKey key, in Stat stat) => CollectionsMarshal.GetValueRefOrAddDefault(Stats, key, out _).Add(stat);

    public void Clear()
    {
        Stats.Clear();
        _kinds.Clear();
        DataTypes.Clear();
        Metrics.Clear();
    }

    /// <summary>The same by hours.</summary>
    public Dictionary<StatKey, Stat> ByHour()
    {
        var hours = new Dictionary<StatKey, Stat>();
        foreach (var (key, stat) in Stats)
            CollectionsMarshal.GetValueRefOrAddDefault(hours, key with { Bucket = key.Bucket - key.Bucket % TimeSpan.TicksPerHour }, out _).Add(stat);
        return hours;
    }
}
