using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Partitions;
using Xunit;

namespace IoT.Tests.Storage.Partitions;

public sealed class PartitionSpanTests
{
    [Theory]
    [InlineData(PartitionSpan.Month, "2026-11-24", "2026-11-01", "2026-12-01")]
    [InlineData(PartitionSpan.Month, "2028-02-29", "2028-02-01", "2028-03-01")]
    [InlineData(PartitionSpan.Month, "2026-12-31", "2026-12-01", "2027-01-01")]
    [InlineData(PartitionSpan.Week, "2026-11-24", "2026-11-23", "2026-11-30")]
    [InlineData(PartitionSpan.Week, "2026-11-29", "2026-11-23", "2026-11-30")]
    [InlineData(PartitionSpan.Week, "2027-01-01", "2026-12-28", "2027-01-04")]
    [InlineData(PartitionSpan.Day, "2026-11-24", "2026-11-24", "2026-11-25")]
    public void A_span_holds_its_moment_from_midnight_to_midnight(PartitionSpan span, string day, string from, string to)
    {
        Assert.Equal(new TimeRange(At(from), At(to)), span.Around(At(day)));
        Assert.Equal(new TimeRange(At(from), At(to)), span.Around(At(day).AddDays(1).AddTicks(-1)));
    }

    [Fact]
    public void Beside_others_a_span_takes_what_is_left()
    {
        var month = PartitionSpan.Month.Around(At("2026-11-10"));
        TimeRange[] days = [new(At("2026-11-05"), At("2026-11-06")), new(At("2026-11-20"), At("2026-11-21")), new(At("2026-10-01"), At("2026-11-02"))];
        Assert.Equal(new TimeRange(At("2026-11-06"), At("2026-11-20")), month.Beside(days, At("2026-11-10")));
        Assert.Equal(new TimeRange(At("2026-11-02"), At("2026-11-05")), month.Beside(days, At("2026-11-02")));
        Assert.Equal(new TimeRange(At("2026-11-21"), At("2026-12-01")), month.Beside(days, At("2026-11-30")));
        Assert.Equal(month, month.Beside([], At("2026-11-10")));
    }

    [Fact]
    public void Whole_months_are_named_by_the_month_and_others_by_their_first_day()
    {
        Assert.Equal("y2026m11", PartitionSpan.Month.Around(At("2026-11-10")).Suffix);
        Assert.Equal("y2026m11d01", new TimeRange(At("2026-11-01"), At("2026-11-30")).Suffix);
        Assert.Equal("y2026m11d23", PartitionSpan.Week.Around(At("2026-11-24")).Suffix);
    }

    private static DateTime At(string day) => DateTime.SpecifyKind(DateTime.Parse(day, System.Globalization.CultureInfo.InvariantCulture), DateTimeKind.Utc);
}
