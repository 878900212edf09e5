using System.Globalization;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Summaries;

/// <summary>Random readings, late, repeated, refused by PostgreSQL, across kills: the summaries are what the stored readings make.</summary>
public sealed class SummaryRecountTests
{
    private const int Devices = 3;

    private readonly List<string> _sent = [];
    private int _message;

    [Fact]
    public async Task Summaries_are_what_the_stored_readings_make_whatever_happens_to_them()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("IOT_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"IOT_TEST_SEED={seed}");
        var random = new Random(seed);
        // A small memory of ids: most duplicates are found in the database.
        await using var platform = new Platform(("Gateway__MessageCacheSize", "10"));
        await platform.StartAsync();
        List<TestDevice> devices = [];
        for (var i = 0; i < Devices; i++)
            devices.Add(await platform.NewDeviceAsync());
        await platform.ScalarAsync<int>("do $$ begin alter table device_data add constraint no_poison check (data_type <> 'poison'); end $$; select 1");

        for (var round = 0; round < 4; round++)
        {
            for (var batch = 0; batch < 6; batch++)
            {
                var readings = Enumerable.Range(0, random.Next(1, 400)).Select(_ => Next(random, devices)).ToList();
                Assert.Equal(200, (await platform.Client.PostReadingAsync($"[{string.Join(",", readings)}]")).Status);
            }
            if (round == 1)
            {
                await platform.KillAsync();
                await platform.StartAsync();
            }
            if (round == 2)
                await FoldedAsync(platform);
            foreach (var device in devices)
                await Recount.AssertSameAsync(platform, platform.ConnectionString, device.Id);
        }
        await FoldedAsync(platform);
        foreach (var device in devices)
            await Recount.AssertSameAsync(platform, platform.ConnectionString, device.Id);
        Assert.True(await platform.ScalarAsync<long>("select count(*) from quarantine") > 0);
        Assert.True(await platform.ScalarAsync<long>("select coalesce((select sum(duplicate) from device_ledger), 0)::bigint + coalesce((select sum(d) from ledger_pending, unnest(duplicate) as d), 0)::bigint") > 0);
    }

    [Fact]
    public async Task A_rebuild_while_readings_come_in_mends_them_and_is_exact()
    {
        var random = new Random(7);
        await using var platform = new Platform();
        await platform.StartAsync();
        List<TestDevice> devices = [];
        for (var i = 0; i < Devices; i++)
            devices.Add(await platform.NewDeviceAsync());
        await SendAsync(20);
        await FoldedAsync(platform);
        // Something has gone wrong with them, in every way.
        await platform.ScalarAsync<int>(
            """
            do $$ begin
                delete from device_summary_5m where random() < 0.3; delete from device_summary_hour where random() < 0.3;
                update device_summary_5m set count = count + 1 where random() < 0.3; update device_summary_hour set sum = sum + 1, first = 4711 where random() < 0.3;
            end $$; select 1
            """);
        await Assert.ThrowsAnyAsync<Exception>(() => Recount.AssertSameAsync(platform, platform.ConnectionString, devices[0].Id));

        Assert.Equal(202, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:rebuild")).Status);
        Assert.Equal(409, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:rebuild")).Status);
        Assert.Equal(403, (await platform.As((await platform.NewKeyAsync("operator")).Key).SendAsync(HttpMethod.Post, "/api/v1/summaries:rebuild")).Status);
        await Eventually.TrueAsync(async () =>
        {
            await SendAsync(1);
            return (await platform.Client.ReadAsync("/api/v1/summaries")).Json.GetProperty("state").GetString() == "current";
        }, "the rebuild's end");
        foreach (var device in devices)
            await Recount.AssertSameAsync(platform, platform.ConnectionString, device.Id);
        await FoldedAsync(platform);
        foreach (var device in devices)
            await Recount.AssertSameAsync(platform, platform.ConnectionString, device.Id);

        async Task SendAsync(int batches)
        {
            for (var batch = 0; batch < batches; batch++)
                Assert.Equal(200, (await platform.Client.PostReadingAsync($"[{string.Join(",", Enumerable.Range(0, 300).Select(_ => Next(random, devices, mayBePoison: false)))}]")).Status);
        }
    }

    [Fact]
    public async Task Readings_that_came_in_while_summaries_were_off_are_summed_up_when_they_are_on_again()
    {
        var random = new Random(8);
        await using var platform = new Platform(("Storage__Summaries", "false"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.Client.PostReadingAsync($"[{string.Join(",", Enumerable.Range(0, 300).Select(_ => Next(random, [device], mayBePoison: false)))}]")).Status);
        Assert.True(await platform.StoredAsync(device.Id) > 0);
        Assert.Empty((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/summary")).Items);
        Assert.Equal("off", (await platform.Client.ReadAsync("/api/v1/summaries")).Json.GetProperty("state").GetString());

        await platform.StopAsync();
        platform.Set("Storage__Summaries", "true");
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/api/v1/summaries")).Json.GetProperty("state").GetString() == "current", "the rebuild");
        await Recount.AssertSameAsync(platform, platform.ConnectionString, device.Id);
    }

    private static async Task FoldedAsync(Platform platform)
    {
        // What is acknowledged may not be in PostgreSQL yet, and would be pending after the fold.
        await Eventually.TrueAsync(
            async () => (await platform.Client.ReadAsync("/api/v1/ledger")).Json.GetProperty("total").GetProperty("in_flight").GetInt64() == 0, "everything in PostgreSQL");
        Assert.Equal(204, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/summaries:fold")).Status);
        Assert.Equal(0, await platform.ScalarAsync<long>("select count(*) from summary_pending"));
    }

    private string Next(Random random, List<TestDevice> devices, bool mayBePoison = true)
    {
        if (_sent.Count > 0 && random.Next(8) == 0)
            return _sent[random.Next(_sent.Count)];
        // Mostly the last hour, now and then long ago; whole seconds, so that some fall on the same.
        var at = TimeProvider.System.GetUtcNow().AddSeconds(-random.Next(3_000)).AddDays(random.Next(6) == 0 ? -random.Next(75) : 0);
        var dataType = mayBePoison && random.Next(60) == 0 ? "poison" : random.Next(3) == 0 ? "machine" : "climate";
        var reading = $$"""{"device_id":"{{devices[random.Next(devices.Count)].Id}}","message_id":"{{_message++}}","data_type":"{{dataType}}","timestamp":"{{at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}}","payload":{{Payload(random)}}}""";
        _sent.Add(reading);
        return reading;
    }

    private static string Payload(Random random) => random.Next(6) switch
    {
        0 => $$$"""{"t":{{{Value(random)}}},"state":"on"}""",
        1 => $$$"""{"t":{{{Value(random)}}},"motor":{"r.p.m":{{{Value(random)}}},"t":{{{Value(random)}}} },"t":{{{Value(random)}}} }""",
        2 => """{"state":"off"}""",
        3 => $$$"""{"motor":{"t":{{{Value(random)}}} },"motor":{"\u0074":{{{Value(random)}}},"u":1}}""",
        4 => $$$"""{"list":[1,2,{"t":3}],"value":{{{Value(random)}}} }""",
        _ => $$$"""{"t":{{{Value(random)}}},"value":{{{Value(random)}}} }""",
    };

    // Eighths: sums of them are exact in whatever order.
    private static string Value(Random random) => (random.Next(-8_000, 8_000) / 8.0).ToString(CultureInfo.InvariantCulture);
}
