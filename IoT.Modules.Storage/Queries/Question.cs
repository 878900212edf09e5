using System.Globalization;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using IoT.Modules.Storage.Summaries;
using Microsoft.AspNetCore.Http;

namespace IoT.Modules.Storage.Queries;

/// <summary>The parameters of a question, and all that is wrong with them at once.</summary>
internal sealed class Question(IQueryCollection query)
{
    private const int MostListed = 1_000;

    private readonly Dictionary<string, string[]> _errors = [];

    public delegate bool Parse<T>(string text, out T value);

    public Failure? Failure =>
        _errors.Count == 0 ? null : new Failure(FailureKind.Invalid, string.Join("; ", _errors.Select(e => $"{e.Key}: {e.Value[0]}")), _errors);

    public void Wrong(string field, string rule) => _errors[field] = [rule];

    public string? Text(string field)
    {
        var text = query[field].ToString();
        if (text.Contains('\0', StringComparison.Ordinal))
            Wrong(field, "must not hold NUL");
        return text.Length == 0 ? null : text;
    }

    public string? DataType() => Text("data_type");

    /// <summary>Values with commas between, or the parameter several times; null: not given.</summary>
    public IReadOnlyList<string>? List(string field)
    {
        if (Text(field) is not { } text)
            return null;
        var values = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct(StringComparer.Ordinal).ToList();
        if (values.Count > MostListed)
            Wrong(field, $"at most {MostListed} of them; location and type name more");
        return values;
    }

    public DeviceFilter Devices(string? only = null)
    {
        var ids = only is null ? List("device_id") : [only];
        if (ids?.FirstOrDefault(id => !DeviceId.IsValid(id)) is { } wrong)
            Wrong("device_id", $"{wrong}: {DeviceId.Rule}");
        return new DeviceFilter(ids, Text("location"), Text("type"));
    }

    public DateTime? Time(string field) => ReadingEndpoints.Time(field, Text(field), _errors);

    public int Number(string field, int least, int most)
    {
        if (int.TryParse(Text(field), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        Wrong(field, $"{least} to {most}");
        return least;
    }

    public int Limit(int usual, int most) => Text("limit") is null ? usual : Number("limit", 1, most);

    public long StreamLimit()
    {
        if (Text("limit") is not { } text)
            return long.MaxValue;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit > 0)
            return limit;
        Wrong("limit", "a number from 1");
        return 1;
    }

    public T? Cursor<T>(Parse<T> parse)
        where T : struct
    {
        if (!query.TryGetValue("cursor", out var text))
            return null;
        if (parse(text.ToString(), out var cursor))
            return cursor;
        Wrong("cursor", "not a cursor of this list");
        return null;
    }

    public SummaryBucketWidth Bucket()
    {
        if (SummarySetup.Widths.TryGetValue(Text("bucket") ?? "hour", out var width))
            return width;
        Wrong("bucket", $"one of {string.Join(", ", SummarySetup.Widths.Keys)}");
        return default;
    }
}
