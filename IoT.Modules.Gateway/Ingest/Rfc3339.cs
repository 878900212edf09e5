using System.Globalization;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>RFC 3339 times from UTF-8, to the microsecond.</summary>
internal static class Rfc3339
{
    private const string Form = "must be an RFC 3339 time such as 2026-11-23T04:05:06.123456Z";

    /// <summary>What is wrong with the text; null when <paramref name="ticks"/> (UTC, whole microseconds) holds it.</summary>
    public static string? Parse(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        if (text.Length < 19 || text[4] != '-' || text[7] != '-' || (text[10] | 0x20) is not ('t' or ' ') || text[10] == 0
            || text[13] != ':' || text[16] != ':')
            return Form;
        int year = Digits(text[..4]), month = Digits(text[5..7]), day = Digits(text[8..10]);
        int hour = Digits(text[11..13]), minute = Digits(text[14..16]), second = Digits(text[17..19]);
        if ((year | month | day | hour | minute | second) < 0)
            return Form;

        var rest = text[19..];
        var micros = 0;
        if (rest is [(byte)'.', ..])
        {
            var digits = rest[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            digits = digits < 0 ? rest.Length - 1 : digits;
            if (digits == 0)
                return Form;
            for (var i = 0; i < 6; i++)
                micros = micros * 10 + (i < digits ? rest[1 + i] - '0' : 0);
            rest = rest[(1 + digits)..];
        }
        if (rest.IsEmpty)
            return "has no offset from UTC: end it with Z or one such as +02:00";

        var offsetMinutes = 0;
        if (rest is not [(byte)'Z' or (byte)'z'])
        {
            if (rest is not [(byte)'+' or (byte)'-', _, _, (byte)':', _, _])
                return Form;
            int hours = Digits(rest[1..3]), minutes = Digits(rest[4..6]);
            if ((hours | minutes) < 0)
                return Form;
            if (hours > 23 || minutes > 59)
                return "has an offset from UTC outside -23:59 to +23:59";
            offsetMinutes = (hours * 60 + minutes) * (rest[0] == '-' ? -1 : 1);
        }
        if (second == 60)
            return "is a leap second (:60), which has no place in storage: send :59 or the next minute";
        if (year == 0)
            return "must be in the years 0001 to 9999";
        if (month is 0 or > 12 || day == 0 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return "is a date or a time of day that does not exist";

        ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks
            + micros * TimeSpan.TicksPerMicrosecond - offsetMinutes * TimeSpan.TicksPerMinute;
        return ticks < 0 || ticks > DateTime.MaxValue.Ticks ? "must be in the years 0001 to 9999, in UTC" : null;
    }

    /// <summary>-1 when one of them is no digit.</summary>
    private static int Digits(ReadOnlySpan<byte> text)
    {
        var value = 0;
        foreach (var b in text)
        {
            if (!char.IsAsciiDigit((char)b))
                return -1;
            value = value * 10 + b - '0';
        }
        return value;
    }
}

/// <summary>The times that are accepted just now, in UTC ticks, both ends included.</summary>
internal readonly record struct TimestampRange(long Oldest, long Newest, int AgeDays, int AheadHours)
{
    /// <param name="keptFrom">What is older is not kept; null: whatever its age.</param>
    public static TimestampRange At(DateTimeOffset now, GatewayOptions options, DateTime? keptFrom = null)
    {
        var byAge = Math.Max(0, now.UtcTicks - options.MaxReadingAgeDays * TimeSpan.TicksPerDay);
        var oldest = Math.Max(byAge, keptFrom?.Ticks ?? 0);
        return new(
            oldest,
            Math.Min(DateTime.MaxValue.Ticks, now.UtcTicks + options.MaxReadingAheadHours * TimeSpan.TicksPerHour),
            oldest == byAge ? options.MaxReadingAgeDays : (int)((now.UtcTicks - oldest) / TimeSpan.TicksPerDay),
            options.MaxReadingAheadHours);
    }

    public string? Fault(long ticks) => ticks >= Oldest && ticks <= Newest
        ? null
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{Text(ticks)} is {(ticks < Oldest ? "too old" : "too far ahead")}: allowed are {Text(Oldest)} ({AgeDays} days ago) to {Text(Newest)} ({AheadHours} hours ahead)");

    private static string Text(long ticks) => new DateTime(ticks).ToString("yyyy-MM-ddTHH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
