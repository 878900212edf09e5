using System.Globalization;
using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Summaries;

public sealed class SummaryApiTests(SharedPlatform platform)
{
    [Fact]
    public async Task Each_number_is_summed_up_by_bucket()
    {
        var device = await platform.NewDeviceAsync();
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(-2);
        await SendAsync(device,
            Reading(day.AddHours(4).AddMinutes(1), """{"t":10,"motor":{"r.p.m":1000}}"""),
            Reading(day.AddHours(4).AddMinutes(7), """{"t":30,"on":true}"""),
            Reading(day.AddHours(4).AddMinutes(2), """{"t":5.5}"""),
            Reading(day.AddHours(5), """{"t":-1}"""),
            Reading(day.AddHours(28), """{"t":7}"""));

        var hours = (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary")).Items;
        Assert.Equal(
            [
                Bucket(day.AddHours(4), "machine", "motor.r%2Ep%2Em", 1, 1000, 1000, 1000, 1000, 1000),
                Bucket(day.AddHours(4), "machine", "t", 3, 45.5 / 3, 5.5, 30, 10, 30),
                Bucket(day.AddHours(5), "machine", "t", 1, -1, -1, -1, -1, -1),
                Bucket(day.AddHours(28), "machine", "t", 1, 7, 7, 7, 7, 7),
            ], hours.Select(Text));
        Assert.Equal(
            [
                Bucket(day.AddHours(4), "machine", "t", 2, 7.75, 5.5, 10, 10, 5.5),
                Bucket(day.AddHours(4).AddMinutes(5), "machine", "t", 1, 30, 30, 30, 30, 30),
            ],
            (await ReadAsync(device, $"bucket=5m&metric=t&data_type=machine&from={Iso(day.AddHours(4))}&to={Iso(day.AddHours(5))}")).Select(Text));
        Assert.Equal(
            [Bucket(day, "machine", "t", 4, 44.5 / 4, -1, 30, 10, -1), Bucket(day.AddDays(1), "machine", "t", 1, 7, 7, 7, 7, 7)],
            (await ReadAsync(device, "bucket=day&metric=t")).Select(Text));
        // A bucket that has a part in the time is there whole.
        Assert.Equal([Bucket(day, "machine", "t", 4, 44.5 / 4, -1, 30, 10, -1)],
            (await ReadAsync(device, $"bucket=day&metric=t&from={Iso(day.AddHours(5))}&to={Iso(day.AddHours(6))}")).Select(Text));
        Assert.Empty(await ReadAsync(device, "data_type=other"));
        Assert.Empty(await ReadAsync(device, "metric=on"));
        Assert.Equal(hours.Select(Text), (await platform.Client.ReadAllAsync($"/api/v1/devices/{device.Id}/summary?limit=1")).Select(Text));

        var wrong = await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary?bucket=minute&from=yesterday&limit=0&cursor=x");
        Assert.Equal(["bucket", "cursor", "from", "limit"], wrong.Fields.Order());
        Assert.Equal(404, (await platform.Client.ReadAsync("/api/v1/devices/nobody/summary")).Status);
        Assert.Equal(401, (await platform.Stranger.ReadAsync($"/api/v1/devices/{device.Id}/summary")).Status);
    }

    [Fact]
    public async Task The_hourly_view_has_what_the_aggregate_over_the_readings_has()
    {
        var device = await platform.NewDeviceAsync();
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(-1);
        await SendAsync(device,
            Reading(day.AddHours(1), """{"value":10,"other":1}"""), Reading(day.AddHours(1.5), """{"value":4}"""),
            Reading(day.AddHours(1.6), """{"other":3}"""), Reading(day.AddHours(2), """{"state":"on"}"""));
        await platform.StoredAsync(device.Id);
        foreach (var isFolded in new[] { false, true })
        {
            if (isFolded)
                await FoldAsync();
            const string columns = "r.device_id, hour, r.data_type, message_count, avg_value, max_value, min_value";
            var ours = await platform.ScalarAsync<string>($"select json_agg(json_build_array({columns}) order by hour)::text from device_summary_hourly r join devices d on d.id = r.device_id where external_id = $1", device.Id);
            var recounted = await platform.ScalarAsync<string>(
                $"""
                 select json_agg(json_build_array({columns}) order by hour)::text from (
                     select device_id, date_trunc('hour', timestamp, 'UTC') as hour, data_type, count(*) as message_count, avg((payload->>'value')::float8) as avg_value,
                         max((payload->>'value')::float8) as max_value, min((payload->>'value')::float8) as min_value
                     from device_data group by 1, 2, 3) r
                 join devices d on d.id = r.device_id where external_id = $1
                 """, device.Id);
            Assert.Equal(recounted, ours);
            Assert.Contains(", 3, 7, 10, 4]", ours, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Numbers_at_the_ends_of_what_a_double_holds_break_nothing()
    {
        var device = await platform.NewDeviceAsync();
        var at = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddHours(-3);
        await SendAsync(device, [.. Enumerable.Range(0, 20).Select(i => Reading(at.AddSeconds(i), """{"huge":1e308,"tiny":1e-310,"large":1e289,"digits":12345678901234567890.5}"""))]);
        var buckets = await ReadAsync(device, "");
        Assert.Equal(["digits", "large", "tiny"], buckets.Select(b => b.GetProperty("metric").GetString()));
        Assert.Equal([12345678901234567890.5, 1e289, 0], buckets.Select(b => b.GetProperty("avg").GetDouble()));
        await FoldAsync();
        Assert.Equal(4, await platform.ScalarAsync<long>("select count(*) from device_summary_hour s join devices d on d.id = device_id where external_id = $1", device.Id));
        Assert.Equal(buckets.Select(Text), (await ReadAsync(device, "")).Select(Text));
    }

    private async Task FoldAsync() => Assert.Equal(204, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:fold")).Status);

    private async Task<IReadOnlyList<JsonElement>> ReadAsync(TestDevice device, string query)
    {
        var answer = await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary?{query}");
        Assert.True(answer.Status == 200, answer.ToString());
        return answer.Items;
    }

    private async Task SendAsync(TestDevice device, params string[] readings) =>
        Assert.Equal(readings.Length, (await platform.As(device.Token).PostReadingAsync($"[{string.Join(",", readings)}]")).Accepted);

    private static string Reading(DateTime at, string payload) => $$"""{"data_type":"machine","timestamp":"{{Iso(at)}}","payload":{{payload}}}""";

    private static string Iso(DateTime at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Bucket(DateTime bucket, string dataType, string metric, long count, double avg, double min, double max, double first, double last) =>
        string.Create(CultureInfo.InvariantCulture, $"{Iso(bucket)} {dataType} {metric} {count} {avg} {min} {max} {first} {last}");

    private static string Text(JsonElement b) => Bucket(
        b.GetProperty("bucket").GetDateTime(), b.GetProperty("data_type").GetString()!, b.GetProperty("metric").GetString()!, b.GetProperty("count").GetInt64(),
        b.GetProperty("avg").GetDouble(), b.GetProperty("min").GetDouble(), b.GetProperty("max").GetDouble(), b.GetProperty("first").GetDouble(), b.GetProperty("last").GetDouble());
}
