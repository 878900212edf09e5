using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Queries;
using Xunit;

namespace IoT.Tests.Storage.Queries;

public sealed class ThinningTests
{
    private static readonly DateTime Start = new(2026, 11, 1, 0, 0, 0, DateTimeKind.Utc);

    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(100)]
    public void Extremes_of_every_part_stay_whatever_the_order_of_coming(int points)
    {
        var random = new Random(points);
        var values = Enumerable.Range(0, 10_000).Select(i => new SeriesPoint(Start.AddSeconds(i), random.NextDouble() * 100)).ToArray();
        values[4_321] = values[4_321] with { Value = 5_000 };
        values[77] = values[77] with { Value = -5_000 };
        var shuffled = values.ToArray();
        random.Shuffle(shuffled);
        var (inOrder, inAnyOrder) = (Thin(values), Thin(shuffled));

        Assert.Equal(inOrder, inAnyOrder);
        Assert.True(inOrder.Count <= points);
        Assert.Equal(inOrder.OrderBy(p => p.Timestamp), inOrder);
        var parts = Math.Max(1, points / 2);
        foreach (var part in values.GroupBy(v => (v.Timestamp - Start).Ticks * parts / TimeSpan.FromSeconds(10_000).Ticks))
        {
            Assert.Contains(part.MinBy(v => v.Value), inOrder);
            Assert.Contains(part.MaxBy(v => v.Value), inOrder);
        }

        IReadOnlyList<SeriesPoint> Thin(SeriesPoint[] all)
        {
            var thinning = new Thinning(Start.Ticks, Start.AddSeconds(10_000).Ticks, points);
            foreach (var point in all)
                thinning.Add(point.Timestamp, point.Value);
            return thinning.Points();
        }
    }

    [Fact]
    public void A_short_series_is_left_as_it_is()
    {
        var thinning = new Thinning(Start.Ticks, Start.AddHours(1).Ticks, 10);
        for (var i = 9; i >= 0; i--)
            thinning.Add(Start.AddMinutes(i), 5);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => new SeriesPoint(Start.AddMinutes(i), 5)), thinning.Points());
    }
}
