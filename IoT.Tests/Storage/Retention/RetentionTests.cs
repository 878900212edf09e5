using System.Globalization;
using IoT.Tests.Support;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Retention;

public sealed class RetentionTests
{
    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    [Fact]
    public async Task What_is_too_old_is_shown_first_then_dropped_and_no_longer_taken_in()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        foreach (var months in new[] { 0, 1, 4, 5 })
            Assert.Equal(200, (await platform.Client.PostReadingAsync(Batch(device, Now.AddMonths(-months), 10))).Status);
        Assert.Equal(40, await platform.StoredAsync(device.Id));
        // Before that nothing of the summaries is in their tables.
        Assert.Equal(204, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:fold")).Status);

        string[] old = [NameOf(Now.AddMonths(-5)), NameOf(Now.AddMonths(-4))];
        var dry = await platform.Client.PostJsonAsync("/api/v1/retention:dry-run", new { retention_days = 70 });
        Assert.Equal(old, dry.Items.Where(IsReadings).Select(Name));
        Assert.All(dry.Items, item => Assert.Equal("age", item.GetProperty("cause").GetString()));
        Assert.True(dry.Json.GetProperty("bytes_after").GetInt64() < dry.Json.GetProperty("bytes").GetInt64());
        Assert.Empty((await platform.Client.PostJsonAsync("/api/v1/retention:dry-run", new { })).Items);
        Assert.Equal(400, (await platform.Client.PostJsonAsync("/api/v1/retention:dry-run", new { retention_days = 0 })).Status);
        Assert.Equal(40, await platform.StoredAsync(device.Id));

        await platform.StopAsync();
        platform.Set("Storage__RetentionDays", "70");
        platform.Set("Storage__FineSummaryDays", "70");
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => (await NamesAsync(platform)).Intersect(old).ToList() is [], "the end of what is too old");
        Assert.Equal(20, await platform.StoredAsync(device.Id));
        var events = (await platform.Client.ReadAsync("/api/v1/storage/events")).Items;
        Assert.Equal(old.Reverse(), events.Where(e => e.GetProperty("table_name").GetString() == "device_data").Select(e => e.GetProperty("partition").GetString()));
        Assert.All(events.Where(e => e.GetProperty("table_name").GetString() == "device_data"), e => Assert.Contains("Storage__RetentionDays", e.GetProperty("reason").GetString(), StringComparison.Ordinal));

        var late = await platform.Client.PostReadingAsync(Batch(device, Now.AddDays(-71), 1));
        Assert.Equal(400, late.Status);
        Assert.Contains("too old", late.Rejected[0].Error, StringComparison.Ordinal);
        // What was summed up outlives the readings, each table of it for its own time.
        await Eventually.TrueAsync(async () => (await FineAsync()).Count == 2, "the end of the older five minutes");
        Assert.Equal(4, (await platform.Client.ReadAsync("/api/v1/partitions?table=device_summary_hour")).Items.Count);
        Assert.Contains((await platform.Client.ReadAsync("/api/v1/storage/events")).Items, e => e.GetProperty("reason").GetString()!.Contains("Storage__FineSummaryDays", StringComparison.Ordinal));
        Assert.Equal(2, (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary?bucket=day&to={Text(Now.AddMonths(-3))}")).Items.Count);
        Assert.Empty((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary?bucket=5m&to={Text(Now.AddMonths(-3))}")).Items);

        async Task<IReadOnlyList<System.Text.Json.JsonElement>> FineAsync() => (await platform.Client.ReadAsync("/api/v1/partitions?table=device_summary_5m")).Items;
    }

    [Fact]
    public async Task Over_the_disk_budget_the_oldest_go_and_never_the_one_being_written()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        foreach (var months in new[] { 0, 0, 1, 2, 3 })
            Assert.Equal(200, (await platform.Client.PostReadingAsync(Batch(device, Now.AddMonths(-months).AddMinutes(-1), 10_000))).Status);
        Assert.Equal(50_000, await platform.StoredAsync(device.Id));
        var all = (await platform.Client.ReadAsync("/api/v1/partitions")).Items;
        var sizes = all.ToDictionary(Name, p => p.GetProperty("bytes").GetInt64());
        var oldest = NameOf(Now.AddMonths(-3));
        var total = (await platform.Client.PostJsonAsync("/api/v1/retention:dry-run", new { })).Json.GetProperty("bytes").GetInt64();
        Assert.Equal(sizes.Values.Sum(), total);

        var justOne = (int)((total - sizes[oldest]) / (1024 * 1024)) + 1;
        var plan = await platform.Client.PostJsonAsync("/api/v1/retention:dry-run", new { readings_mib = justOne });
        Assert.Equal([oldest], plan.Items.Select(Name));
        Assert.Equal(3, (await platform.Client.PostJsonAsync("/api/v1/retention:dry-run", new { readings_mib = 1 })).Items.Count);

        await platform.StopAsync();
        platform.Set("Storage__ReadingsMiB", "1");
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 20_000, "the end of the older ones");
        Assert.Contains(NameOf(Now), await NamesAsync(platform));
        var states = (await platform.Client.ReadAsync("/health/ready")).Json.GetProperty("components").EnumerateArray();
        await Eventually.TrueAsync(
            async () => (await platform.Client.ReadAsync("/health/ready")).Json.GetProperty("components").EnumerateArray()
                .Any(c => c.GetProperty("name").GetString() == "retention" && c.GetProperty("status").GetString() == "degraded"), "that the health says so");
        Assert.NotEmpty(states);

        // It would only be dropped again: late readings for it are not taken, also after a restart.
        await platform.StopAsync();
        platform.Set("Storage__ReadingsMiB", "0");
        await platform.StartAsync();
        Assert.Equal(400, (await platform.Client.PostReadingAsync(Batch(device, Now.AddMonths(-3).AddMinutes(-1), 1))).Status);
        Assert.Equal(200, (await platform.Client.PostReadingAsync(Batch(device, Now, 1))).Status);
    }

    [Fact]
    public async Task A_long_query_holds_up_the_dropping_but_no_reading_and_a_kill_in_between_is_mended()
    {
        await using var platform = new Platform(("Storage__RetentionDays", "3650"), ("Gateway__MaxReadingAgeDays", "3650"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.Client.PostReadingAsync(Batch(device, Now.AddMonths(-5), 10))).Status);
        Assert.Equal(10, await platform.StoredAsync(device.Id));
        var old = NameOf(Now.AddMonths(-5));
        await platform.StopAsync();
        platform.Set("Storage__RetentionDays", "70");
        // The private server goes with the host: the query begins as soon as the new one is there, before its first turn is through.
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => !(await NamesAsync(platform)).Contains(old), "the first turn");

        // Once more, by hand, into the state that a kill leaves behind: marked, and detached by half because somebody reads.
        await platform.ScalarAsync<int>(
            $"""
             do $$ begin
                 create table {old} (like device_data including defaults);
                 alter table device_data attach partition {old} for values from ('{Month(Now.AddMonths(-5))}') to ('{Month(Now.AddMonths(-4))}');
             end $$; select 1
             """);
        await using (var reader = new NpgsqlConnection(platform.ConnectionString))
        {
            await reader.OpenAsync(TestContext.Current.CancellationToken);
            await using var query = await reader.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using (var command = new NpgsqlCommand("select count(*) from device_data", reader, query))
                await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
            var running = platform.Client.SendAsync(HttpMethod.Post, "/api/v1/retention:run");
            await Eventually.TrueAsync(() => platform.ScalarAsync<bool>("select exists (select 1 from pg_inherits where inhdetachpending)"), "the first half of the detaching");
            // Meanwhile readings go on into PostgreSQL, and are read.
            for (var i = 0; i < 5; i++)
            {
                Assert.Equal(200, (await platform.Client.PostReadingAsync(Batch(device, Now, 1))).Status);
                Assert.Equal(i + 1, await platform.StoredAsync(device.Id));
            }
            Assert.Equal("detaching", (await platform.Client.ReadAsync("/api/v1/partitions")).Items.Single(p => Name(p) == old).GetProperty("state").GetString());
            Assert.Empty((await running).Items);
            await platform.KillAsync();
        }
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => await platform.ScalarAsync<bool>($"select to_regclass('{old}') is null"), "the rest of it");
        Assert.Equal(0, await platform.ScalarAsync<long>("select count(*) from partition_removals"));
        Assert.Equal(2, await platform.ScalarAsync<long>($"select count(*) from storage_events where partition = '{old}'"));
        Assert.Equal(5, await platform.StoredAsync(device.Id));
    }

    private static string Batch(TestDevice device, DateTimeOffset at, int count) =>
        $"[{string.Join(",", Enumerable.Range(0, count).Select(i => $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","timestamp":"{{{Text(at.AddMilliseconds(-i))}}}","payload":{"value":{{{i}}}}}"""))}]";

    private static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static string Month(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-'01 00:00:00+00'", CultureInfo.InvariantCulture);

    private static string NameOf(DateTimeOffset at) => $"device_data_y{at.UtcDateTime.ToString("yyyy'm'MM", CultureInfo.InvariantCulture)}";

    private static string Name(System.Text.Json.JsonElement partition) => partition.GetProperty("name").GetString()!;

    private static bool IsReadings(System.Text.Json.JsonElement partition) => partition.GetProperty("table").GetString() == "device_data";

    private static async Task<List<string>> NamesAsync(Platform platform) => [.. (await platform.Client.ReadAsync("/api/v1/partitions")).Items.Select(Name)];
}
