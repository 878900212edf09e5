using System.Globalization;
using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Queries;

/// <summary>Questions over several devices. A location of the test's own keeps others' devices out.</summary>
public sealed class QueryTests(SharedPlatform platform)
{
    private static readonly DateTimeOffset Start = new(2026, 10, 31, 22, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Latest_of_several_devices_is_that_of_each_in_pages_too()
    {
        var (location, devices) = await FactoryAsync(5);
        foreach (var (device, i) in devices.Select((d, i) => (d, i)))
            await SendAsync(device, ("b", 3, i), ("a", 90 + i, 10 + i), ("b", 1, 99), ("a", 20, 98));
        // A late one doesn't count, one that ties does, and so does the first one of a later month.
        await SendAsync(devices[0], ("a", 89, 97), ("b", 3, 50));
        await SendAsync(devices[1], ("b", 24 * 60, 51));

        (string, string, int)[] expected = [.. devices.Index().SelectMany(d => new[]
        {
            (d.Item.Id, "a", 10 + d.Index), (d.Item.Id, "b", d.Index switch { 0 => 50, 1 => 51, _ => d.Index }),
        }).OrderBy(e => e.Id, StringComparer.Ordinal)];
        Assert.Equal(expected, (await platform.Client.ReadAsync($"/api/v1/latest?location={location}")).Items.Select(Of));
        Assert.Equal(expected, (await platform.Client.ReadAllAsync($"/api/v1/latest?location={location}&limit=3")).Select(Of));
        Assert.Equal(expected.Where(e => e.Item2 == "b"), (await platform.Client.ReadAsync($"/api/v1/latest?location={location}&data_type=b")).Items.Select(Of));
        Assert.Equal(
            expected.Where(e => e.Item1 == devices[1].Id || e.Item1 == devices[3].Id),
            (await platform.Client.ReadAsync($"/api/v1/latest?device_id={devices[3].Id},{devices[1].Id}")).Items.Select(Of));
        Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/latest?device_id={devices[3].Id},nobody")).Status);
        Assert.Equal(expected.Take(2), (await platform.Client.ReadAsync($"/api/v1/devices/{expected[0].Item1}/latest")).Items.Select(Of));
    }

    [Fact]
    public async Task Latest_finds_what_is_left_when_somebody_has_taken_readings_away()
    {
        var (location, devices) = await FactoryAsync(1);
        await SendAsync(devices[0], ("a", 1, 1), ("a", 200, 2));
        await platform.StoredAsync(devices[0].Id);
        await platform.ScalarAsync<int>($"with gone as (delete from device_data d using devices v where v.id = d.device_id and external_id = '{devices[0].Id}' and payload->>'n' = '2' returning 1) select count(*)::int from gone");
        Assert.Equal([(devices[0].Id, "a", 1)], (await platform.Client.ReadAsync($"/api/v1/latest?location={location}")).Items.Select(Of));
    }

    [Fact]
    public async Task Data_of_several_devices_is_newest_first_page_by_page_and_streams_device_by_device()
    {
        var (location, devices) = await FactoryAsync(4);
        var all = Enumerable.Range(0, 400).Select(n => (Device: n * 7 % 4, Type: n % 3 == 0 ? "x" : "y", At: n * 3 % 250, N: n)).ToList();
        foreach (var of in all.GroupBy(r => r.Device))
            await SendAsync(devices[of.Key], [.. of.Select(r => (r.Type, r.At, r.N))]);

        var items = await platform.Client.ReadAllAsync($"/api/v1/data?location={location}&limit=37");
        Assert.Equal(400, items.Count);
        Assert.Equal(Enumerable.Range(0, 400), items.Select(N).Order());
        Assert.Equal(items.Select(Key).OrderDescending(), items.Select(Key));

        items = await platform.Client.ReadAllAsync($"/api/v1/data?device_id={devices[0].Id},{devices[2].Id}&type=Machine&data_type=x&from={At(50)}&to={At(200)}&limit=10");
        Assert.Equal(all.Where(r => r.Device is 0 or 2 && r.Type == "x" && r.At is >= 50 and < 200).Select(r => r.N).Order(), items.Select(N).Order());
        Assert.Empty((await platform.Client.ReadAsync($"/api/v1/data?location={location}&type=Sensor")).Items);

        var lines = (await platform.Client.ReadAsync($"/api/v1/data?location={location}", "application/x-ndjson")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<JsonElement>(line)).ToList();
        Assert.Equal(Enumerable.Range(0, 400), lines.Select(N).Order());
        Assert.Equal(lines.Select(Of).OrderBy(l => l.Item1, StringComparer.Ordinal).ThenBy(l => l.Item2, StringComparer.Ordinal).Select(l => (l.Item1, l.Item2)), lines.Select(Of).Select(l => (l.Item1, l.Item2)));
        foreach (var series in lines.GroupBy(l => (Of(l).Item1, Of(l).Item2)))
            Assert.Equal(series.Select(Key).OrderDescending(), series.Select(Key));
        Assert.Equal(12, (await platform.Client.ReadAsync($"/api/v1/data?location={location}&limit=11&format=csv")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        static (DateTime, long) Key(JsonElement r) => (r.GetProperty("timestamp").GetDateTime(), r.GetProperty("id").GetInt64());
    }

    [Fact]
    public async Task A_question_that_would_read_too_much_is_told_what_to_narrow_unless_it_streams()
    {
        // 500,000 readings at most: 10,000 of each of more than 49 series is too much.
        var (location, devices) = await FactoryAsync(1);
        await SendAsync(devices[0], [.. Enumerable.Range(0, 60).Select(n => ($"type-{n}", n, n))]);
        await platform.StoredAsync(devices[0].Id);
        var refused = await platform.Client.ReadAsync($"/api/v1/data?location={location}&limit=10000");
        Assert.Equal((400, "urn:iot:problem:invalid"), (refused.Status, refused.Problem));
        Assert.Contains("data_type", refused.Text, StringComparison.Ordinal);
        Assert.Contains("x-ndjson", refused.Text, StringComparison.Ordinal);
        Assert.Equal(60, (await platform.Client.ReadAsync($"/api/v1/data?location={location}&limit=1000")).Items.Count);
        Assert.Equal(60, (await platform.Client.ReadAsync($"/api/v1/data?location={location}", "application/x-ndjson")).Text.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("latest?limit=0", "limit")]
    [InlineData("latest?cursor=x", "cursor")]
    [InlineData("data?device_id=a%20b", "device_id")]
    [InlineData("data?from=yesterday", "from")]
    [InlineData("data?format=xml", "format")]
    [InlineData("data?points=1", "points")]
    [InlineData("data?points=10001", "points")]
    [InlineData("data?points=10&from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "to")]
    [InlineData("data?bucket=week", "bucket")]
    [InlineData("data?limit=10001", "limit")]
    [InlineData("summary?location=a%00b", "location")]
    public async Task What_is_wrong_with_the_question_is_named(string query, string field)
    {
        var refused = await platform.Client.ReadAsync($"/api/v1/{query}");
        Assert.Equal(400, refused.Status);
        Assert.Contains(field, refused.Fields);
    }

    [Fact]
    public async Task A_chart_keeps_the_extremes_of_each_series()
    {
        var (location, devices) = await FactoryAsync(2);
        foreach (var device in devices)
            await SendAsync(device, [.. Enumerable.Range(0, 600).Select(n => ("t", n / 3, n == 333 ? 9_999 : n == 40 ? -77 : n % 10))]);
        var path = $"/api/v1/data?location={location}&from={At(0)}&to={At(200)}&points=20";
        var chart = await platform.Client.ReadAsync(path);
        Assert.Equal("raw", chart.Json.GetProperty("resolution").GetString());
        Assert.Equal(devices.Select(d => (d.Id, "t", "n")).Order(), chart.Items.Select(s => (s.GetProperty("device_id").GetString()!, s.GetProperty("data_type").GetString()!, s.GetProperty("metric").GetString()!)));
        Assert.All(chart.Items, s =>
        {
            var points = s.GetProperty("points").EnumerateArray().Select(p => (At: p.GetProperty("timestamp").GetDateTime(), Value: p.GetProperty("value").GetDouble())).ToList();
            Assert.InRange(points.Count, 10, 20);
            Assert.Contains((Start.AddMinutes(111).UtcDateTime, 9_999), points);
            Assert.Contains((Start.AddMinutes(13).UtcDateTime, -77), points);
        });
        Assert.Empty((await platform.Client.ReadAsync($"{path}&metric=other")).Items);
        Assert.Equal([devices[0].Id], (await platform.Client.ReadAsync($"/api/v1/devices/{devices[0].Id}/data?from={At(0)}&to={At(200)}&points=20&metric=n")).Items.Select(s => s.GetProperty("device_id").GetString()));
    }

    [Fact]
    public async Task A_chart_of_more_readings_than_may_be_read_is_made_of_summaries()
    {
        await using var own = new Platform(("Storage__MaxQueryReadings", "1000"));
        await own.StartAsync();
        var device = await own.NewDeviceAsync();
        var lines = Enumerable.Range(0, 1_100).Select(n => $$$"""{"data_type":"t","timestamp":"{{{At(10 * n)}}}","payload":{"n":{{{(n == 500 ? 9_999 : n % 10)}}}}}""");
        Assert.Equal(1_100, (await own.As(device.Token).PostReadingAsync(string.Join('\n', lines), "application/x-ndjson")).Accepted);
        await own.StoredAsync(device.Id);

        var path = $"/api/v1/devices/{device.Id}/data?from={At(0)}";
        for (var round = 0; round < 2; round++)
        {
            // At first it is found out while reading them, afterwards before.
            var chart = await own.Client.ReadAsync($"{path}&to={At(11_000)}&points=100");
            Assert.Equal("hour", chart.Json.GetProperty("resolution").GetString());
            Assert.Equal(9_999, chart.Items.Single().GetProperty("points").EnumerateArray().Max(p => p.GetProperty("value").GetDouble()));
            Assert.Equal("raw", (await own.Client.ReadAsync($"{path}&to={At(9_990)}&points=100")).Json.GetProperty("resolution").GetString());
            var refused = await own.Client.ReadAsync($"{path}&to={At(11_000)}&points=5000");
            Assert.Equal((400, "from"), (refused.Status, Assert.Single(refused.Fields)));
            Assert.InRange((await own.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:fold")).Status, 200, 299);
        }
    }

    [Fact]
    public async Task Buckets_of_several_devices_are_those_of_each()
    {
        var (location, devices) = await FactoryAsync(3);
        foreach (var device in devices)
            await SendAsync(device, [.. Enumerable.Range(0, 150).Select(n => (n % 2 == 0 ? "t" : "u", n * 2, n))]);
        var together = await platform.Client.ReadAllAsync($"/api/v1/data?location={location}&bucket=5m&from={At(0)}&to={At(301)}&limit=50");
        Assert.Equal(together.Count, (await platform.Client.ReadAsync($"/api/v1/summary?location={location}&bucket=5m&from={At(0)}&to={At(301)}&limit=10000")).Items.Count);
        foreach (var device in devices)
        {
            var alone = await platform.Client.ReadAllAsync($"/api/v1/devices/{device.Id}/summary?bucket=5m");
            Assert.Equal(alone.Select(Bucket), together.Where(b => b.GetProperty("device_id").GetString() == device.Id).Select(Bucket));
        }
        static string Bucket(JsonElement b) => string.Join(' ', new[] { "bucket", "data_type", "metric", "count", "avg", "min", "max", "first", "last" }.Select(name => b.GetProperty(name).ToString()));
    }

    [Fact]
    public async Task Queries_are_recorded_by_name_with_the_plan_of_the_slowest()
    {
        var (location, devices) = await FactoryAsync(1);
        await SendAsync(devices[0], ("a", 1, 1));
        await platform.Client.ReadAsync($"/api/v1/latest?location={location}");
        var latest = (await platform.Client.ReadAsync("/api/v1/queries")).Items.Single(q => q.GetProperty("name").GetString() == "latest_of_devices");
        Assert.True(latest.GetProperty("count").GetInt64() > 0 && latest.GetProperty("max_ms").GetDouble() > 0);
        var plan = await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/queries/latest_of_devices:explain");
        Assert.Equal(200, plan.Status);
        Assert.Contains("Buffers:", plan.Json.GetProperty("plan").GetString(), StringComparison.Ordinal);
        Assert.Equal(404, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/queries/nothing:explain")).Status);
        Assert.Equal(403, (await platform.As((await platform.NewKeyAsync("operator")).Key).ReadAsync("/api/v1/queries")).Status);
        Assert.True(await platform.MetricAsync("iot_query_duration_seconds_count", "latest_of_devices") > 0);
    }

    private async Task<(string Location, List<TestDevice> Devices)> FactoryAsync(int count)
    {
        var location = Platform.NewId("hall");
        var devices = new List<TestDevice>();
        for (var i = 0; i < count; i++)
        {
            var device = await platform.NewDeviceAsync();
            Assert.Equal(200, (await platform.Client.PatchJsonAsync($"/api/v1/devices/{device.Id}", $$"""{"location":"{{location}}","type":"Machine"}""")).Status);
            devices.Add(device);
        }
        return (location, devices);
    }

    private async Task SendAsync(TestDevice device, params (string Type, int Minute, int N)[] readings)
    {
        var body = readings.Select(r => $$$"""{"device_id":"{{{device.Id}}}","data_type":"{{{r.Type}}}","timestamp":"{{{At(r.Minute)}}}","payload":{"n":{{{r.N}}}}}""");
        Assert.Equal(200, (await platform.Client.PostReadingAsync($"[{string.Join(",", body)}]")).Status);
    }

    private static string At(int minute) => Start.AddMinutes(minute).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static int N(JsonElement r) => r.GetProperty("payload").GetProperty("n").GetInt32();

    private static (string, string, int) Of(JsonElement r) => (r.GetProperty("device_id").GetString()!, r.GetProperty("data_type").GetString()!, N(r));
}
