using System.Text.Json;
using IoT.Tests.Operations;
using IoT.Tests.Support;
using MQTTnet.Formatter;
using Npgsql;
using Xunit;

namespace IoT.Tests.Gateway.Ingest;

/// <summary>What was received is stored, a duplicate, rejected, quarantined or in flight, at every instant and across restarts.</summary>
public sealed class LedgerTests(OpenPlatform open)
{
    private static readonly string[] Kinds = ["stored", "duplicate", "rejected", "quarantined", "in_flight"];

    [Fact]
    public async Task Each_reading_is_counted_as_what_became_of_it_and_a_restart_changes_nothing()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var sender = platform.As(device.Token);
        Assert.Equal(200, (await sender.PostReadingAsync($"[{DuplicateTests.Reading("a")},{DuplicateTests.Reading("a")},{DuplicateTests.Reading(null)},17]")).Status);
        Assert.Equal(400, (await sender.PostReadingAsync("nonsense")).Status);
        Assert.Equal(400, (await sender.PostReadingAsync("no gzip", encoding: "gzip")).Status);
        await using (var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token))
            await mqtt.PublishAsync(device.Topic, "nonsense");
        await using (var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token, MqttProtocolVersion.V311))
        {
            await mqtt.PublishAsync(device.Topic, "nonsense");
            await mqtt.PublishAsync(device.Topic, """{"device_id":"other","data_type":"t","payload":{}}""");
        }
        await AssertAsync("2 1 4 2 0");

        Assert.Equal(0, await platform.StopAsync());
        await platform.StartAsync();
        await AssertAsync("2 1 4 2 0");
        // Known to the database only, by now.
        Assert.Equal(1, (await platform.As(device.Token).PostReadingAsync(DuplicateTests.Reading("a"))).Accepted);
        await AssertAsync("2 2 4 2 0");
        await platform.KillAsync();
        await platform.StartAsync();
        await AssertAsync("2 2 4 2 0");

        Assert.Equal(404, (await platform.Client.ReadAsync("/api/v1/ledger/x")).Status);
        Assert.Equal(400, (await platform.Client.ReadAsync("/api/v1/ledger?limit=0")).Status);
        Assert.Equal(401, (await platform.Stranger.ReadAsync("/api/v1/ledger")).Status);

        Task AssertAsync(string expected) => Eventually.TrueAsync(async () =>
        {
            var (total, line) = (await TotalAsync(platform), await LineAsync(platform, device.Id));
            return line == expected && total.ToString() == expected;
        }, $"the ledger at {expected}");
    }

    [Fact]
    public async Task What_a_retry_stores_is_no_longer_counted_as_quarantined()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await platform.ScalarAsync<int>("do $$ begin alter table device_data add constraint no_poison check (data_type <> 'poison'); end $$; select 1");
        await platform.As(device.Token).PostReadingAsync($$"""[{{DuplicateTests.Reading(null)}},{"data_type":"poison","payload":{} }]""");
        await Eventually.TrueAsync(async () => await LineAsync(platform, device.Id) == "1 0 0 1 0", "one in quarantine");
        await platform.ScalarAsync<int>("do $$ begin alter table device_data drop constraint no_poison; end $$; select 1");
        var id = (await platform.Client.ReadAsync("/api/v1/quarantine")).Items.Single().GetProperty("id").GetInt64();
        Assert.Equal(200, (await platform.Client.SendAsync(HttpMethod.Post, $"/api/v1/quarantine/{id}/retry")).Status);
        await Eventually.TrueAsync(async () => await LineAsync(platform, device.Id) == "2 0 0 0 0", "both stored");
        await platform.KillAsync();
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => await LineAsync(platform, device.Id) == "2 0 0 0 0", "both stored");
    }

    [Fact]
    public async Task Strangers_are_counted_in_the_total_only()
    {
        var before = (await TotalAsync(open)).Rejected;
        var id = Platform.NewId("stranger");
        Assert.Equal(400, (await open.Stranger.PostReadingAsync($$"""{"device_id":"{{id}}","data_type":"t","payload":7}""")).Status);
        await Eventually.TrueAsync(async () => (await TotalAsync(open)).Rejected > before, "the rejected reading in the total");
        Assert.Empty((await open.Client.ReadAsync($"/api/v1/ledger?device_id={id}")).Items);
    }

    [Fact]
    public async Task What_is_acknowledged_and_not_stored_is_in_flight_across_a_kill()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var (device, other) = (await platform.NewDeviceAsync(), await platform.NewDeviceAsync());
        Assert.Equal(200, (await platform.As(other.Token).PostReadingAsync(DuplicateTests.Reading(null))).Status);
        await Eventually.TrueAsync(async () => await LineAsync(platform, other.Id) == "1 0 0 0 0", "the other's reading");
        await using (var connection = new NpgsqlConnection(platform.ConnectionString))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var command = new NpgsqlCommand("lock table device_data in access exclusive mode", connection, transaction);
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            for (var i = 0; i < 5; i++)
                Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync($"[{string.Join(",", Enumerable.Repeat(DuplicateTests.Reading(null), 100))}]")).Status);
            Assert.Equal("0 0 0 0 500", await LineAsync(platform, device.Id));
            await platform.KillAsync();
        }
        await platform.StartAsync();
        var seen = await LineAsync(platform, device.Id);
        // Some may be stored: PostgreSQL ends the write that waited for the lock, whether or not its host still lives.
        var counts = seen.Split(' ').Select(long.Parse).ToArray();
        Assert.True(counts is [>= 0, 0, 0, 0, >= 0] && counts.Sum() == 500, seen);
        await Eventually.TrueAsync(async () => await LineAsync(platform, device.Id) == "500 0 0 0 0", "all stored");
        Assert.Equal("1 0 0 0 0", await LineAsync(platform, other.Id));
    }

    [Fact]
    public async Task The_sum_holds_whenever_it_is_looked_at_while_readings_come_and_the_host_is_killed()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var acknowledged = 0;
        for (var round = 0; round < 2; round++)
        {
            await using var publisher = new Publisher(platform, device);
            await publisher.ConnectAsync();
            var sending = publisher.SendAsync(20_000);
            var last = 0L;
            while (publisher.Acknowledged.Count < 3_000)
            {
                var known = publisher.Acknowledged.Count;
                var answer = (await platform.Client.ReadAsync("/api/v1/ledger")).Json;
                var line = Sum(answer.GetProperty("total"));
                Assert.Equal(line, answer.GetProperty("items").EnumerateArray().Sum(Sum));
                Assert.True(line >= known + acknowledged, $"{line} received, but {known + acknowledged} were acknowledged");
                Assert.True(line >= last, $"{line} received, but {last} were before");
                last = line;
            }
            await platform.KillAsync();
            await sending;
            acknowledged += publisher.Acknowledged.Count;
            await platform.StartAsync();
            Assert.True(Sum((await platform.Client.ReadAsync("/api/v1/ledger")).Json.GetProperty("total")) >= acknowledged);
        }
        await Eventually.TrueAsync(async () => (await TotalAsync(platform)).InFlight == 0, "the drain");
        Assert.Equal(await platform.ScalarAsync<long>("select count(*) from device_data"), (await TotalAsync(platform)).Stored);
    }

    private sealed record Line(long Stored, long Duplicate, long Rejected, long Quarantined, long InFlight)
    {
        public override string ToString() => $"{Stored} {Duplicate} {Rejected} {Quarantined} {InFlight}";
    }

    /// <summary>Received, checked to be the sum of the rest.</summary>
    private static long Sum(JsonElement line)
    {
        var received = line.GetProperty("received").GetInt64();
        Assert.Equal(received, Kinds.Sum(kind => line.GetProperty(kind).GetInt64()));
        Assert.All(Kinds, kind => Assert.True(line.GetProperty(kind).GetInt64() >= 0, line.ToString()));
        return received;
    }

    private static async Task<Line> TotalAsync(Platform platform) =>
        Read(await Eventually.SomethingAsync(async () => (await platform.Client.ReadAsync("/api/v1/ledger")) is { Status: 200 } answer ? answer : null, "the ledger"), "total");

    private static Line Read(Answer answer, string member)
    {
        var line = answer.Json.GetProperty(member);
        Sum(line);
        var counts = Kinds.Select(kind => line.GetProperty(kind).GetInt64()).ToArray();
        return new Line(counts[0], counts[1], counts[2], counts[3], counts[4]);
    }

    private static async Task<string> LineAsync(Platform platform, string deviceId)
    {
        var answer = await Eventually.SomethingAsync(async () => (await platform.Client.ReadAsync($"/api/v1/ledger?device_id={deviceId}")) is { Status: 200 } found ? found : null, "the ledger");
        var item = Assert.Single(answer.Items);
        Assert.Equal(deviceId, item.GetProperty("device_id").GetString());
        Sum(item);
        return string.Join(' ', Kinds.Select(kind => item.GetProperty(kind).GetInt64()));
    }
}
