using System.Globalization;
using System.Text.Json;
using IoT.Tests.Support;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Summaries;

/// <summary>Sums the raw readings up once more, the plain way, and holds the API's summaries against that.</summary>
internal static class Recount
{
    internal sealed record Bucket(DateTime Start, string DataType, string Metric)
    {
        public List<(DateTime At, long Id, double Value)> Values { get; } = [];

        public override string ToString()
        {
            var inOrder = Values.OrderBy(v => v.At).ThenBy(v => v.Id).ToList();
            return string.Create(CultureInfo.InvariantCulture,
                $"{Start:O} {DataType} {Metric} {Values.Count} {Values.Sum(v => v.Value) / Values.Count} {Values.Min(v => v.Value)} {Values.Max(v => v.Value)} {inOrder[0].Value} {inOrder[^1].Value}");
        }
    }

    /// <summary>Whether every bucket of every width is the same. Values must be such that sums of them are exact in any order.</summary>
    public static async Task AssertSameAsync(Platform platform, string connectionString, string deviceId)
    {
        foreach (var (name, width) in new[] { ("5m", TimeSpan.FromMinutes(5)), ("hour", TimeSpan.FromHours(1)), ("day", TimeSpan.FromDays(1)) })
        {
            // Over the query that waits for what has been acknowledged; then the readings, which nobody adds to meanwhile.
            var ours = (await platform.Client.ReadAllAsync($"/api/v1/devices/{deviceId}/summary?bucket={name}&limit=500")).Select(Text).ToList();
            var recounted = (await BucketsAsync(connectionString, deviceId, width)).OrderBy(b => b.Start).ThenBy(b => b.DataType, StringComparer.Ordinal).ThenBy(b => b.Metric, StringComparer.Ordinal).Select(b => b.ToString()).ToList();
            Assert.NotEmpty(ours);
            Assert.Equal(recounted, ours);
        }
    }

    private static async Task<IEnumerable<Bucket>> BucketsAsync(string connectionString, string deviceId, TimeSpan width)
    {
        var buckets = new Dictionary<(DateTime, string, string), Bucket>();
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(
            "select r.id, timestamp, data_type, payload::text from device_data r join devices d on d.id = r.device_id where external_id = $1", connection) { Parameters = { new NpgsqlParameter { Value = deviceId } } };
        await using var rows = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        while (await rows.ReadAsync(TestContext.Current.CancellationToken))
        {
            var (id, at, dataType) = (rows.GetInt64(0), rows.GetDateTime(1), rows.GetString(2));
            using var payload = JsonDocument.Parse(rows.GetString(3));
            foreach (var (metric, value) in NumbersOf(payload.RootElement, ""))
            {
                var start = new DateTime(at.Ticks - at.Ticks % width.Ticks, DateTimeKind.Utc);
                if (!buckets.TryGetValue((start, dataType, metric), out var bucket))
                    buckets[(start, dataType, metric)] = bucket = new Bucket(start, dataType, metric);
                bucket.Values.Add((at, id, value));
            }
        }
        return buckets.Values;
    }

    private static IEnumerable<(string Metric, double Value)> NumbersOf(JsonElement payload, string prefix)
    {
        foreach (var member in payload.EnumerateObject())
        {
            var path = prefix + member.Name.Replace(".", "%2E", StringComparison.Ordinal);
            if (member.Value.ValueKind == JsonValueKind.Number)
                yield return (path, member.Value.GetDouble());
            else if (member.Value.ValueKind == JsonValueKind.Object)
            {
                foreach (var inner in NumbersOf(member.Value, path + "."))
                    yield return inner;
            }
        }
    }

    private static string Text(JsonElement b) => string.Create(CultureInfo.InvariantCulture,
        $"{b.GetProperty("bucket").GetDateTime():O} {b.GetProperty("data_type")} {b.GetProperty("metric")} {b.GetProperty("count").GetInt64()} {b.GetProperty("avg").GetDouble()} {b.GetProperty("min").GetDouble()} {b.GetProperty("max").GetDouble()} {b.GetProperty("first").GetDouble()} {b.GetProperty("last").GetDouble()}");
}
