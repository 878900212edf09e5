using System.Globalization;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Partitions;

public sealed class PartitionTests(SharedPlatform platform)
{
    [Fact]
    public async Task Readings_land_in_the_partition_of_their_month_in_utc()
    {
        var device = await platform.NewDeviceAsync();
        var now = TimeProvider.System.GetUtcNow();
        var month = new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero);
        DateTimeOffset[] times =
        [
            month.AddMonths(-5), month.AddMonths(-5).AddMilliseconds(-1), month.AddMonths(-17).AddDays(3), month.AddMonths(-40), now,
            // The first of a month east of Greenwich is the last of the one before in UTC.
            new(month.AddMonths(-2).DateTime, TimeSpan.FromHours(5)),
        ];
        var sent = await platform.As(device.Token).PostReadingAsync(
            $"[{string.Join(",", times.Select(t => $$$"""{"data_type":"t","timestamp":"{{{t.ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", CultureInfo.InvariantCulture)}}}","payload":{}}"""))}]");
        Assert.Equal(times.Length, sent.Accepted);
        Assert.Equal(times.Length, await platform.StoredAsync(device.Id));

        foreach (var time in times)
        {
            Assert.Equal(1, await platform.ScalarAsync<long>(
                $"select count(*) from {NameOf(time)} r join devices d on d.id = r.device_id where external_id = $1 and timestamp = $2", device.Id,
                new DateTime(time.UtcTicks - time.UtcTicks % TimeSpan.TicksPerMillisecond, DateTimeKind.Utc)));
        }
    }

    [Fact]
    public async Task Bounds_are_whole_months_in_utc_and_nothing_catches_the_rest()
    {
        var psql = await ClientTool.RunAsync("psql", platform.ConnectionUri, "-X", "-A", "-t", "-c", """
            set timezone = 'UTC';
            select c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = 'public.device_data'::regclass
            """);
        Assert.True(psql.ExitCode == 0, psql.ToString());
        var partitions = psql.Output.Split('\n').Where(line => line.Contains('|', StringComparison.Ordinal)).Select(line => line.Split('|')).ToDictionary(p => p[0], p => p[1]);
        Assert.DoesNotContain(partitions, p => p.Value.Contains("DEFAULT", StringComparison.OrdinalIgnoreCase));

        var now = TimeProvider.System.GetUtcNow();
        for (var ahead = 0; ahead <= 3; ahead++)
        {
            var month = new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(ahead);
            Assert.Equal(
                $"FOR VALUES FROM ('{month:yyyy-MM-dd} 00:00:00+00') TO ('{month.AddMonths(1):yyyy-MM-dd} 00:00:00+00')",
                partitions[NameOf(month)]);
        }
        Assert.All(partitions, p => Assert.Matches(@"^device_data_y\d{4}m\d{2}$", p.Key));
        Assert.All(partitions, p => Assert.Matches(@"^FOR VALUES FROM \('\d{4}-\d{2}-01 00:00:00\+00'\) TO \('\d{4}-\d{2}-01 00:00:00\+00'\)$", p.Value));
    }

    [Fact]
    public async Task A_day_ahead_is_as_far_as_a_clock_may_be_wrong()
    {
        var device = await platform.NewDeviceAsync();
        var now = TimeProvider.System.GetUtcNow();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading(now.AddHours(23)))).Status);
        var refused = await platform.As(device.Token).PostReadingAsync(Reading(now.AddHours(25)));
        Assert.Equal(400, refused.Status);
        Assert.Contains("timestamp", refused.Rejected[0].Error, StringComparison.Ordinal);
        // Who can't be told finds it in the quarantine.
        foreach (var at in new[] { now.AddHours(25), now.AddYears(-6) })
        {
            var sent = await ClientTool.RunAsync(
                "mosquitto_pub", "-h", "127.0.0.1", "-p", $"{platform.MqttPort}", "-V", "311", "-q", "1", "-u", device.Id, "-P", device.Token, "-t", device.Topic, "-m", Reading(at));
            Assert.True(sent.ExitCode == 0, sent.ToString());
        }
        Assert.Equal(1, await platform.StoredAsync(device.Id));
        var kept = (await platform.Client.ReadAsync($"/api/v1/quarantine?device_id={device.Id}")).Items;
        Assert.Equal(2, kept.Count);
        Assert.All(kept, entry => Assert.Contains("timestamp", entry.GetProperty("reason").GetString(), StringComparison.Ordinal));

        static string Reading(DateTimeOffset at) => $$$"""{"data_type":"t","timestamp":"{{{at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}}}","payload":{}}""";
    }

    private static string NameOf(DateTimeOffset time) => $"device_data_y{time.UtcDateTime.ToString("yyyy'm'MM", CultureInfo.InvariantCulture)}";
}
