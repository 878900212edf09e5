using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Gateway.Contracts;

/// <summary>Readings stored in one second that began at <paramref name="Second"/> (UTC).</summary>
public readonly record struct RatePoint(DateTime Second, int Readings);

/// <summary>What has been stored lately, for the page: counts by second and the newest readings, both in bounded memory.</summary>
public sealed class IngestActivity(TimeProvider time) : INotificationHandler<ReadingsStored>
{
    /// <summary>How far back the counts go.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(10);

    /// <summary>How many of the newest readings are kept.</summary>
    public const int NewestCount = 20;

    private readonly Lock _lock = new();
    private readonly (long Second, int Count)[] _seconds = new (long, int)[(int)Window.TotalSeconds];
    private readonly Queue<StoredReading> _newest = new();
    private long _total;

    /// <summary>Readings stored since the host started.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <summary>The newest stored readings, the last stored first. Their ids are not known here and are 0.</summary>
    public IReadOnlyList<StoredReading> Newest
    {
        get
        {
            lock (_lock)
                return [.. _newest.Reverse()];
        }
    }

    /// <summary>Counts for each of the last whole seconds, oldest first, zeros included.</summary>
    public IReadOnlyList<RatePoint> PerSecond(TimeSpan window)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var count = (int)Math.Min(window.TotalSeconds, _seconds.Length - 1);
        var points = new RatePoint[count];
        lock (_lock)
        {
            for (var i = 0; i < count; i++)
            {
                var second = now - count + i;
                var slot = _seconds[second % _seconds.Length];
                points[i] = new RatePoint(DateTimeOffset.FromUnixTimeSeconds(second).UtcDateTime, slot.Second == second ? slot.Count : 0);
            }
        }
        return points;
    }

    /// <summary>Puts readings from before this start in, oldest first, so that the page isn't empty until the next arrives.</summary>
    public void Seed(IEnumerable<StoredReading> readings)
    {
        lock (_lock)
        {
            if (_newest.Count > 0)
                return;
            foreach (var reading in readings)
                Remember(reading);
        }
    }

    Task INotificationHandler<ReadingsStored>.Handle(ReadingsStored notification, CancellationToken cancellationToken)
    {
        var readings = notification.Readings;
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        lock (_lock)
        {
            _total += readings.Count;
            ref var slot = ref _seconds[now % _seconds.Length];
            slot = slot.Second == now ? (now, slot.Count + readings.Count) : (now, readings.Count);
            foreach (var reading in readings.Skip(readings.Count - NewestCount))
                Remember(new StoredReading(0, reading.Device.Id, reading.Timestamp, reading.DataType, System.Text.Encoding.UTF8.GetString(reading.Payload.Span), "active"));
        }
        return Task.CompletedTask;
    }

    private void Remember(StoredReading reading)
    {
        if (_newest.Count == NewestCount)
            _newest.Dequeue();
        _newest.Enqueue(reading);
    }
}
