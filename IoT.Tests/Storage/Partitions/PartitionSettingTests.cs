using System.Globalization;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Partitions;

public sealed class PartitionSettingTests
{
    [Fact]
    public async Task Another_span_replaces_what_is_empty_and_leaves_what_holds_readings()
    {
        await using var platform = new Platform(("Storage__PartitionBy", "day"));
        await platform.StartAsync();
        var today = TimeProvider.System.GetUtcNow().UtcDateTime.Date;
        var device = await platform.NewDeviceAsync();
        await SendAsync(platform, device, TimeProvider.System.GetUtcNow());
        Assert.Equal([.. Enumerable.Range(0, 4).Select(d => (today.AddDays(d), today.AddDays(d + 1)))], await RangesAsync(platform));

        foreach (var (span, end) in new[] { ("month", 1), ("week", 1), ("month", 1) })
        {
            await platform.StopAsync();
            platform.Set("Storage__PartitionBy", span);
            await platform.StartAsync();
            var ranges = await RangesAsync(platform);
            // The day that holds a reading is as it was; then comes the rest of the new span, and whole ones.
            Assert.Equal((today, today.AddDays(1)), ranges[0]);
            Assert.All(ranges.Zip(ranges.Skip(1)), pair => Assert.Equal(pair.First.To, pair.Second.From));
            Assert.InRange(ranges.Count, 4, 5);
            Assert.All(ranges.Skip(1), range => Assert.True(
                span == "month" ? range.To.Day == 1 : range.To.DayOfWeek == DayOfWeek.Monday, $"{span}: {range}"));
            Assert.All(ranges.Skip(2), range => Assert.True(span == "month" ? range.From.Day == 1 : range.To - range.From == TimeSpan.FromDays(7), $"{span}: {range}"));
            await SendAsync(platform, device, TimeProvider.System.GetUtcNow());
            await SendAsync(platform, device, TimeProvider.System.GetUtcNow().AddDays(-70));
            Assert.Equal(end, ranges.Count(r => r.From == today));
        }
        Assert.Equal(7, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Wrong_clocks_get_so_many_partitions_and_then_the_quarantine()
    {
        await using var platform = new Platform(("Storage__PartitionsOnDemand", "2"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var now = TimeProvider.System.GetUtcNow();
        foreach (var months in new[] { 3, 8, 13, 3, 0 })
            await SendAsync(platform, device, now.AddMonths(-months));
        Assert.Equal(4, await platform.StoredAsync(device.Id));
        var entry = Assert.Single((await platform.Client.ReadAsync($"/api/v1/quarantine?device_id={device.Id}")).Items);
        Assert.Contains("Storage__PartitionsOnDemand", entry.GetProperty("reason").GetString(), StringComparison.Ordinal);
        var ledger = (await platform.Client.ReadAsync($"/api/v1/ledger?device_id={device.Id}")).Items[0];
        Assert.Equal((4, 1, 0), (ledger.GetProperty("stored").GetInt32(), ledger.GetProperty("quarantined").GetInt32(), ledger.GetProperty("in_flight").GetInt32()));

        await platform.StopAsync();
        platform.Set("Storage__PartitionsOnDemand", "3");
        await platform.StartAsync();
        var id = entry.GetProperty("id").GetInt64();
        Assert.Equal(200, (await platform.Client.SendAsync(HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"/api/v1/quarantine/{id}/retry"))).Status);
        Assert.Equal(5, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task A_reading_that_has_become_too_old_on_its_way_is_kept_in_the_quarantine_and_holds_nothing_up()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await postgres.StopAsync();
        await SendAsync(platform, device, TimeProvider.System.GetUtcNow().AddDays(-60));
        await SendAsync(platform, device, TimeProvider.System.GetUtcNow());
        await platform.KillAsync();

        platform.Set("Storage__RetentionDays", "30");
        await postgres.StartAsync();
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from device_data") == 1, "the young reading");
        var entry = Assert.Single((await platform.Client.ReadAsync($"/api/v1/quarantine?device_id={device.Id}")).Items);
        Assert.Contains("older than what is kept", entry.GetProperty("reason").GetString(), StringComparison.Ordinal);
        var rejected = await platform.Client.PostReadingAsync(Reading(device, TimeProvider.System.GetUtcNow().AddDays(-31)));
        Assert.Equal(400, rejected.Status);
        Assert.Contains("too old", rejected.Rejected[0].Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Partitions_and_summaries_are_of_utc_and_made_beside_queries_whatever_the_time_zone_of_the_database()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        var direct = postgres.ConnectionString + ";Pooling=false";
        await Support.Database.RunAsync(direct, "alter database postgres set timezone = 'Asia/Kolkata'");
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString + ";Timezone=America/St_Johns"), ("Storage__PartitionBy", "day"));
        await platform.StartAsync();
        var today = TimeProvider.System.GetUtcNow().UtcDateTime.Date;
        Assert.Equal([.. Enumerable.Range(0, 4).Select(d => (today.AddDays(d), today.AddDays(d + 1)))], await RangesAsync(platform));

        // A day without a partition gets one while somebody reads the table, and holds a lock that CREATE … PARTITION OF would wait for.
        var device = await platform.NewDeviceAsync();
        var day = today.AddDays(-40);
        await using (var reader = new Npgsql.NpgsqlConnection(direct))
        {
            await reader.OpenAsync(TestContext.Current.CancellationToken);
            await using var query = await reader.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var command = new Npgsql.NpgsqlCommand("select count(*) from device_data", reader, query);
            await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
            foreach (var minute in new[] { 0, 19 * 60, 23 * 60 + 59 })
                await SendAsync(platform, device, new DateTimeOffset(day.AddMinutes(minute)));
            await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<long>(direct, "select count(*) from device_data") == 3, "the readings");
        }
        // Of a session in India: an hour begins there at half past.
        var name = $"device_data_y{day.ToString("yyyy'm'MM'd'dd", CultureInfo.InvariantCulture)}";
        Assert.Equal(3, await Support.Database.ScalarAsync<long>(direct, $"select count(*) from {name}"));
        Assert.Equal("Asia/Kolkata", await Support.Database.ScalarAsync<string>(direct, "select current_setting('TimeZone')"));
        var hours = $"select array_agg((hour at time zone 'UTC')::text order by hour) from device_summary_hourly where device_id = '{IoT.Modules.Storage.Contracts.DeviceUuid.Of(device.Id)}'";
        string[] expected = [.. new[] { 0, 19, 23 }.Select(hour => day.AddHours(hour).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture))];
        Assert.Equal(expected, await Support.Database.ScalarAsync<string[]>(direct, hours));
        Assert.Equal(204, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:fold")).Status);
        Assert.Equal(expected, await Support.Database.ScalarAsync<string[]>(direct, hours));
        await Support.Database.RunAsync(direct, "truncate device_series; select learn_device_series()");
        Assert.Equal(expected[2], await Support.Database.ScalarAsync<string>(direct, "select (newest_hour at time zone 'UTC')::text from device_series"));
    }

    private static async Task SendAsync(Platform platform, TestDevice device, DateTimeOffset at) =>
        Assert.Equal(200, (await platform.Client.PostReadingAsync(Reading(device, at))).Status);

    private static string Reading(TestDevice device, DateTimeOffset at) =>
        $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","timestamp":"{{{at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}}}","payload":{"x":1}}""";

    private static async Task<List<(DateTime From, DateTime To)>> RangesAsync(Platform platform)
    {
        await platform.Client.ReadAsync("/api/v1/devices");
        return [.. (await platform.Client.ReadAsync("/api/v1/partitions")).Items.Where(p => p.GetProperty("state").GetString() != "past")
            .Select(p => (p.GetProperty("from").GetDateTime(), p.GetProperty("to").GetDateTime()))];
    }
}
