using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Partitions;

/// <summary>The times of partitions; all UTC.</summary>
internal static class PartitionSpans
{
    /// <summary>The span that a moment lies in.</summary>
    public static TimeRange Around(this PartitionSpan span, DateTime at)
    {
        var day = DateTime.SpecifyKind(at.Date, DateTimeKind.Utc);
        switch (span)
        {
            case PartitionSpan.Month:
                var first = day.AddDays(1 - day.Day);
                return new TimeRange(first, first.AddMonths(1));
            case PartitionSpan.Week:
                var monday = day.AddDays(-(((int)day.DayOfWeek + 6) % 7));
                return new TimeRange(monday, monday.AddDays(7));
            case PartitionSpan.Day:
                return new TimeRange(day, day.AddDays(1));
            default:
                throw new ArgumentOutOfRangeException(nameof(span), span, null);
        }
    }
}

/// <summary>From (included) to (not included), UTC.</summary>
internal readonly record struct TimeRange(DateTime From, DateTime To)
{
    public bool Holds(DateTime at) => at >= From && at < To;

    /// <summary>The part around a moment that none of the others has taken. The moment is in none of them.</summary>
    public TimeRange Beside(IEnumerable<TimeRange> others, DateTime at)
    {
        var (from, to) = this;
        foreach (var other in others)
        {
            if (other.To <= at && other.To > from)
                from = other.To;
            if (other.From > at && other.From < to)
                to = other.From;
        }
        return new TimeRange(from, to);
    }

    /// <summary>What stands behind the table's name: <c>y2026m11</c> for a whole month, otherwise with the day it begins, <c>y2026m11d30</c>.</summary>
    public string Suffix => this == PartitionSpan.Month.Around(From)
        ? FormattableString.Invariant($"y{From:yyyy}m{From:MM}")
        : FormattableString.Invariant($"y{From:yyyy}m{From:MM}d{From:dd}");
}
