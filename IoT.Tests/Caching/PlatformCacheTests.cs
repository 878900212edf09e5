using System.Globalization;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>The cache in use, over the API of a running platform.</summary>
public sealed class PlatformCacheTests(SharedPlatform platform)
{
    private static readonly DateTime Hour = new(2026, 1, 5, 10, 0, 0, DateTimeKind.Utc);

    [Fact]
    public async Task The_latest_values_are_those_of_the_reading_acknowledged_last()
    {
        var device = await platform.NewDeviceAsync();
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal(200, (await platform.Client.PostReadingAsync($$"""{"device_id":"{{device.Id}}","data_type":"t","payload":{"n":{{i}} } }""")).Status);
            for (var look = 0; look < 2; look++)
            {
                var latest = Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest")).Items);
                Assert.Equal(i, latest.GetProperty("payload").GetProperty("n").GetInt32());
            }
        }
        Assert.Equal(204, (await platform.Client.RemoveAsync($"/api/v1/devices/{device.Id}")).Status);
        Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest")).Status);
    }

    [Fact]
    public async Task A_late_reading_is_in_hours_that_were_over_and_kept()
    {
        var device = await platform.NewDeviceAsync();
        var window = $"from={Text(Hour)}&to={Text(Hour.AddHours(1))}";
        for (var i = 1; i <= 3; i++)
        {
            await platform.Client.PostReadingAsync($$"""{"device_id":"{{device.Id}}","timestamp":"{{Text(Hour.AddMinutes(i))}}","data_type":"t","payload":{"n":{{i}} } }""");
            for (var look = 0; look < 2; look++)
            {
                Assert.Equal(i, (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data?{window}")).Items.Count);
                Assert.Equal(i, Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary?{window}")).Items).GetProperty("count").GetInt32());
            }
        }
        // Kinds of one device and window that differ in something are not taken for one another.
        Assert.Empty((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data?{window}&data_type=other")).Items);
        Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data?{window}&limit=1")).Items);
    }

    [Fact]
    public async Task Hits_are_counted_shown_to_admins_alone_and_measured()
    {
        var device = await platform.NewDeviceAsync();
        var before = await HitsAsync();
        for (var i = 0; i < 5; i++)
            await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest");
        Assert.True(await HitsAsync() >= before + 4);
        Assert.True(await platform.MetricAsync("iot_cache_hits_total", "kind=\"storage.latest\"") > 0);
        Assert.True(await platform.MetricAsync("iot_cache_bytes", "level=\"memory\"") > 0);

        var (_, key) = await platform.NewKeyAsync("operator");
        Assert.Equal(403, (await platform.As(key).ReadAsync("/api/v1/cache")).Status);
        Assert.Equal(403, (await platform.As(key).RemoveAsync("/api/v1/cache?prefix=")).Status);
        Assert.Equal(401, (await platform.Stranger.ReadAsync("/api/v1/cache")).Status);
    }

    [Fact]
    public async Task An_admin_drops_by_prefix_or_tag()
    {
        var device = await platform.NewDeviceAsync();
        var latest = $"/api/v1/devices/{device.Id}/latest";
        await platform.Client.ReadAsync(latest);
        var byTag = await platform.Client.RemoveAsync($"/api/v1/cache?tag=latest:{device.Id}");
        Assert.Equal(200, byTag.Status);
        Assert.True(byTag.Json.GetProperty("memory").GetInt32() >= 1);
        await platform.Client.ReadAsync(latest);
        Assert.Equal(1, (await platform.Client.RemoveAsync($"/api/v1/cache?prefix=storage:latest:1:{device.Id}")).Json.GetProperty("memory").GetInt32());

        Assert.Equal(400, (await platform.Client.RemoveAsync("/api/v1/cache")).Status);
        Assert.Equal(400, (await platform.Client.RemoveAsync("/api/v1/cache?prefix=a&tag=b")).Status);
        Assert.Equal(400, (await platform.Client.RemoveAsync($"/api/v1/cache?tag={new string('x', 600)}")).Status);
    }

    private async Task<long> HitsAsync() =>
        (await platform.Client.ReadAsync("/api/v1/cache")).Json.GetProperty("kinds").EnumerateArray()
            .Where(kind => kind.GetProperty("name").GetString() == "storage.latest").Sum(kind => kind.GetProperty("memory_hits").GetInt64());

    private static string Text(DateTime time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
