using System.Globalization;
using Microsoft.AspNetCore.Html;

namespace IoT.Host.Pages;

/// <summary>Values as people read them.</summary>
internal static class Show
{
    /// <summary>How long ago, and the moment itself (UTC), in a <c>time</c> element.</summary>
    public static IHtmlContent Moment(DateTime at, DateTime now)
    {
        var absolute = at.Date == now.Date ? at.ToString("HH:mm:ss", CultureInfo.InvariantCulture) : at.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        return new HtmlString($"<time datetime=\"{Machine(at)}\">{Ago(at, now)} <span class=\"abs\">{absolute}</span></time>");
    }

    /// <summary>The moment (UTC) alone, in a <c>time</c> element.</summary>
    public static IHtmlContent Date(DateTime at) =>
        new HtmlString($"<time datetime=\"{Machine(at)}\">{at.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} UTC</time>");

    /// <summary>The time of day (UTC), in a <c>time</c> element.</summary>
    public static IHtmlContent Clock(DateTime at) =>
        new HtmlString($"<time datetime=\"{Machine(at)}\">{at.ToString("HH:mm:ss", CultureInfo.InvariantCulture)} UTC</time>");

    public static string Ago(DateTime at, DateTime now)
    {
        var passed = now - at;
        return passed < TimeSpan.FromSeconds(-2) ? $"in {Rough(-passed)}" : passed < TimeSpan.FromSeconds(1) ? "just now" : $"{Rough(passed)} ago";
    }

    /// <summary>Two units: 3 d 4 h, 5 h 12 min, 42 s.</summary>
    public static string Duration(TimeSpan span) =>
        span.TotalDays >= 1 ? $"{(int)span.TotalDays} d {span.Hours} h"
        : span.TotalHours >= 1 ? $"{span.Hours} h {span.Minutes} min"
        : span.TotalMinutes >= 1 ? $"{span.Minutes} min {span.Seconds} s"
        : $"{span.Seconds} s";

    public static string Bytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        var (value, unit) = ((double)bytes, 0);
        for (; value >= 1024 && unit < units.Length - 1; unit++)
            value /= 1024;
        return $"{value.ToString(value >= 100 || unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture)} {units[unit]}";
    }

    /// <summary>Five significant digits or so; large whole numbers as they are.</summary>
    public static string Number(double value)
    {
        var size = Math.Abs(value);
        return size is not 0 and (>= 1e15 or < 1e-4) ? value.ToString("0.####E+0", CultureInfo.InvariantCulture)
            : size >= 1000 ? value.ToString("#,0.#", CultureInfo.InvariantCulture)
            : size >= 10 ? value.ToString("0.##", CultureInfo.InvariantCulture)
            : value.ToString("0.####", CultureInfo.InvariantCulture);
    }

    public static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Machine(DateTime at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);

    private static string Rough(TimeSpan span) =>
        span.TotalDays >= 2 ? $"{(int)span.TotalDays} d"
        : span.TotalHours >= 2 ? $"{(int)span.TotalHours} h"
        : span.TotalMinutes >= 2 ? $"{(int)span.TotalMinutes} min"
        : $"{(int)span.TotalSeconds} s";
}
