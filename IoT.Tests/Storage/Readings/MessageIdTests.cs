using IoT.Tests.Gateway.Ingest;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Readings;

/// <summary>How long message ids are known, and what that may take.</summary>
public sealed class MessageIdTests
{
    [Fact]
    public async Task Ids_are_known_for_the_time_that_the_settings_say_and_dropped_whole_after_it()
    {
        await using var platform = new Platform(("Storage__MessageIdHours", "1"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await SendAsync("first");
        await AgeAsync(platform, "50 minutes");
        await SendAsync("second"); // In the next partition: the first one has had its quarter of an hour.
        Assert.Equal(2, await PartsAsync(platform));

        await AgeAsync(platform, "50 minutes");
        await SendAsync("first");
        await SendAsync("second");
        Assert.Equal(2, await platform.StoredAsync(device.Id));

        await AgeAsync(platform, "50 minutes");
        await SendAsync("first");
        await SendAsync("third");
        Assert.Equal(4, await platform.StoredAsync(device.Id));
        Assert.False(await platform.ScalarAsync<bool>("select to_regclass('message_ids_p1') is not null"));
        Assert.Equal("healthy", (await StateAsync(platform)).Status);

        async Task SendAsync(string id)
        {
            Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(DuplicateTests.Reading(id))).Status);
            await platform.StoredAsync(device.Id);
        }
    }

    [Fact]
    public async Task More_ids_than_there_is_disk_for_shrink_the_window_and_raise_an_alarm()
    {
        const int mebibyte = 1024 * 1024;
        await using var platform = new Platform(("Storage__MessageIdsMiB", "8"));
        await platform.StartAsync();
        Assert.Equal("healthy", (await StateAsync(platform)).Status);
        var device = await platform.NewDeviceAsync();
        var sent = 0;
        var largest = 0L;
        while ((await StateAsync(platform)).Status == "healthy")
        {
            Assert.InRange(sent, 0, 30);
            Assert.Equal(10_000, (await platform.As(device.Token).PostReadingAsync(BatchOf(sent++))).Accepted);
            await platform.StoredAsync(device.Id);
            largest = Math.Max(largest, await platform.ScalarAsync<long>("select sum(pg_total_relation_size(inhrelid))::bigint from pg_inherits where inhparent = 'message_ids'::regclass"));
        }
        var state = await StateAsync(platform);
        Assert.Equal("degraded", state.Status);
        Assert.Contains("Storage__MessageIdsMiB", state.Text, StringComparison.Ordinal);
        Assert.InRange(largest, 6 * mebibyte, 10 * mebibyte);

        // The newest are still known, by the database too, and the alarm is still there after a restart.
        await platform.StopAsync();
        await platform.StartAsync();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(BatchOf(sent - 1))).Status);
        Assert.Equal(sent * 10_000, await platform.StoredAsync(device.Id));
        Assert.Equal("degraded", (await StateAsync(platform)).Status);

        static string BatchOf(int number) =>
            $"[{string.Join(",", Enumerable.Range(0, 10_000).Select(i => DuplicateTests.Reading($"{number}-{i}-{new string('x', 20)}")))}]";
    }

    private static Task<long> PartsAsync(Platform platform) => platform.ScalarAsync<long>("select count(*) from pg_inherits where inhparent = 'message_ids'::regclass");

    private static async Task<(string Status, string Text)> StateAsync(Platform platform)
    {
        var components = (await platform.Client.ReadAsync("/health/ready")).Json.GetProperty("components");
        var ids = components.EnumerateArray().Single(c => c.GetProperty("name").GetString() == "message_ids");
        return (ids.GetProperty("status").GetString()!, ids.GetProperty("description").GetString()!);
    }

    /// <summary>As if the time had passed: to the partitions, and by a restart to the host.</summary>
    private static async Task AgeAsync(Platform platform, string by)
    {
        await platform.ScalarAsync<long>($"with aged as (update message_id_parts set opened_at = opened_at - interval '{by}' returning 1) select count(*) from aged");
        await platform.StopAsync();
        await platform.StartAsync();
    }
}
