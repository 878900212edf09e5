using System.Globalization;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Readings;

public sealed class HistoryTests(SharedPlatform platform)
{
    private static readonly DateTimeOffset Start = new(2026, 10, 31, 23, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Latest_is_the_newest_of_each_data_type_by_timestamp()
    {
        var device = await platform.NewDeviceAsync();
        await SendAsync(device, ("b", 2, 20), ("a", 5, 1), ("b", 9, 21), ("a", 3, 2), ("b", 4, 22));
        var latest = (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest")).Items;
        Assert.Equal([("a", 1), ("b", 21)], latest.Select(r => (r.GetProperty("data_type").GetString(), N(r))));

        // Of the same timestamp, the later arrival.
        await SendAsync(device, ("a", 5, 7));
        latest = (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest")).Items;
        Assert.Equal([7, 21], latest.Select(N));
    }

    [Fact]
    public async Task History_is_newest_first_within_from_and_to_and_of_a_data_type()
    {
        var device = await platform.NewDeviceAsync();
        await SendAsync(device, [.. Enumerable.Range(0, 120).Select(i => (i % 3 == 0 ? "x" : "y", (i * 7) % 120, (i * 7) % 120))]);
        var path = $"/api/v1/devices/{device.Id}/data";

        Assert.Equal(Enumerable.Range(20, 100).Reverse(), await ReadAsync(path));
        Assert.Equal(Enumerable.Range(0, 120).Reverse(), await ReadAsync($"{path}?limit=1000"));
        Assert.Equal([14, 13, 12, 11, 10], await ReadAsync($"{path}?from={At(10)}&to={At(15)}"));
        Assert.Equal([14, 13, 12, 11, 10], await ReadAsync($"{path}?from=2026-11-01T01:10:00%2B02:00&to=2026-11-01T01:15:00%2B02:00"));
        Assert.Equal(Enumerable.Range(0, 120).Where(n => n % 3 == 0).Reverse(), await ReadAsync($"{path}?data_type=x&limit=1000"));
        Assert.Equal([12], await ReadAsync($"{path}?data_type=x&from={At(10)}&to={At(15)}"));
        Assert.Empty(await ReadAsync($"{path}?data_type=none"));
        Assert.Empty(await ReadAsync($"{path}?from={At(15)}&to={At(10)}"));
        Assert.Empty(await ReadAsync($"{path}?data_type=%27%20or%20%271%27%3D%271"));

        async Task<IEnumerable<int>> ReadAsync(string url) => (await platform.Client.ReadAsync(url)).Items.Select(N);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=-1", "limit")]
    [InlineData("limit=10001", "limit")]
    [InlineData("limit=many", "limit")]
    [InlineData("cursor=nonsense", "cursor")]
    [InlineData("cursor=", "cursor")]
    [InlineData("cursor=MTIz", "cursor")]
    [InlineData("from=yesterday", "from")]
    [InlineData("to=2026-13-01T00:00:00Z", "to")]
    [InlineData("data_type=a%00b", "data_type")]
    public async Task What_is_wrong_with_the_question_is_named(string query, string field)
    {
        var device = await platform.NewDeviceAsync();
        var answer = await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data?{query}");
        Assert.True(answer.Status == 400, answer.ToString());
        Assert.Equal("urn:iot:problem:invalid", answer.Problem);
        Assert.Equal([field], answer.Fields);
    }

    [Fact]
    public async Task An_unknown_device_is_not_found()
    {
        var id = Platform.NewId();
        Assert.Equal(404, (await platform.Client.ReadAsync("/api/v1/devices/a%01b/data")).Status);
        Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/devices/{id}/data")).Status);
        Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/devices/{id}/latest")).Status);
        Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/devices/{id}/data", "text/csv")).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("&data_type=x")]
    public async Task Paging_shows_each_reading_once_while_newer_and_late_ones_arrive(string filter)
    {
        var device = await platform.NewDeviceAsync();
        // Many of the same timestamp, so that pages end in their middle.
        var before = Enumerable.Range(0, 500).Select(i => ("x", i / 40, i)).ToArray();
        await SendAsync(device, before);

        var seen = await platform.Client.ReadAllAsync($"/api/v1/devices/{device.Id}/data?limit=33{filter}", async page =>
        {
            var mark = 10_000 + page * 10;
            await SendAsync(device, ("x", 100 + page, mark), ("x", 0, mark + 1), ("x", 6, mark + 2), ("x", 12, mark + 3));
        });

        var numbers = seen.Select(N).ToList();
        Assert.Equal(numbers.Count, numbers.Distinct().Count());
        Assert.Equal(seen.Count, seen.Select(r => r.GetProperty("id").GetInt64()).Distinct().Count());
        Assert.Equal(Enumerable.Range(0, 500), numbers.Where(n => n < 10_000).Order());
        Assert.Equal(seen.Select(Place).OrderDescending(), seen.Select(Place));

        static (DateTimeOffset, long) Place(System.Text.Json.JsonElement reading) => (reading.GetProperty("timestamp").GetDateTimeOffset(), reading.GetProperty("id").GetInt64());
    }

    [Fact]
    public async Task Csv_and_ndjson_hold_the_same_as_json()
    {
        var device = await platform.NewDeviceAsync();
        var sent = await platform.As(device.Token).PostReadingAsync("""
            [{"data_type":"a,\"b\"","timestamp":"2026-11-01T00:00:00Z","payload":{"text":"line\nnew, \"quoted\" °C"}},
             {"data_type":"plain","timestamp":"2026-11-02T00:00:00.5Z","payload":{}}]
            """);
        Assert.Equal(2, sent.Accepted);
        var path = $"/api/v1/devices/{device.Id}/data";
        var json = await platform.Client.ReadAsync(path);

        var ndjson = await platform.Client.ReadAsync(path, "application/x-ndjson");
        Assert.Equal("application/x-ndjson", ndjson.ContentType);
        var lines = ndjson.Text.Split('\n');
        Assert.Equal("", lines[^1]);
        Assert.Equal(json.Items.Select(r => r.GetRawText()), lines[..^1]);

        var csv = await platform.Client.ReadAsync(path, "text/csv");
        Assert.Equal("text/csv", csv.ContentType);
        var rows = Rows(csv.Text);
        Assert.Equal(["id", "device_id", "timestamp", "data_type", "payload", "status"], rows[0]);
        Assert.Equal(json.Items.Select(r => r.GetProperty("data_type").GetString()), rows[1..].Select(row => row[3]));
        Assert.Equal(json.Items.Select(r => r.GetProperty("payload").GetRawText()), rows[1..].Select(row => row[4]));
        Assert.Single(Rows((await platform.Client.ReadAsync($"{path}?limit=1", "text/csv")).Text)[1..]);
    }

    private Task SendAsync(TestDevice device, params (string Type, int Minute, int N)[] readings) => SendAsync(platform, device, readings);

    private static async Task SendAsync(Platform platform, TestDevice device, (string Type, int Minute, int N)[] readings)
    {
        var body = readings.Select(r => $$$"""{"data_type":"{{{r.Type}}}","timestamp":"{{{At(r.Minute)}}}","payload":{"n":{{{r.N}}}}}""");
        var answer = await platform.As(device.Token).PostReadingAsync(string.Join("\n", body), "application/x-ndjson");
        Assert.Equal(readings.Length, answer.Accepted);
    }

    private static string At(int minute) => Start.AddMinutes(minute).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static int N(System.Text.Json.JsonElement reading) => reading.GetProperty("payload").GetProperty("n").GetInt32();

    /// <summary>RFC 4180.</summary>
    private static List<string[]> Rows(string csv)
    {
        var rows = new List<string[]>();
        var row = new List<string>();
        var field = new System.Text.StringBuilder();
        var isQuoted = false;
        for (var i = 0; i < csv.Length; i++)
        {
            var c = csv[i];
            if (isQuoted && c == '"' && i + 1 < csv.Length && csv[i + 1] == '"')
                field.Append(csv[i++]);
            else if (c == '"')
                isQuoted = !isQuoted;
            else if (!isQuoted && (c == ',' || c == '\n'))
            {
                row.Add(field.ToString().TrimEnd('\r'));
                field.Clear();
                if (c != '\n')
                    continue;
                rows.Add([.. row]);
                row.Clear();
            }
            else
                field.Append(c);
        }
        Assert.True(row.Count == 0 && field.Length == 0, "The last row does not end.");
        return rows;
    }
}
