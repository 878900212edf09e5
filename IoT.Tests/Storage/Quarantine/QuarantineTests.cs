using System.Globalization;
using System.Text.Json;
using IoT.Tests.Support;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using Xunit;

namespace IoT.Tests.Storage.Quarantine;

/// <summary>What was acknowledged, or came from one who can't be told, and can't be stored: kept with its reason, and brought in again.</summary>
public sealed class QuarantineTests(SharedPlatform shared, OpenPlatform open)
{
    private const string Good = """{"data_type":"t","payload":{"x":1}}""";

    [Theory]
    [InlineData("nonsense", "body: must be a JSON object")]
    [InlineData("", "body: is empty")]
    [InlineData("[]", "holds no reading")]
    [InlineData("""{"data_type":"t","payload":{"x":"\u0000"}}""", "payload.x")]
    [InlineData("""{"device_id":"somebody-else","data_type":"t","payload":{}}""", "device_id: somebody-else")]
    [InlineData("""{"timestamp":"2200-01-01T00:00:00Z","data_type":"t","payload":{}}""", "timestamp: ")]
    [InlineData("""{"timestamp":"1999-01-01T00:00:00Z","data_type":"t","payload":{}}""", "timestamp: ")]
    public async Task What_mqtt_3_can_not_be_told_is_acknowledged_and_kept_as_it_came(string payload, string reason)
    {
        var device = await shared.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(shared, device.Id, device.Token, MqttProtocolVersion.V311);
        Assert.True((await mqtt.PublishAsync(device.Topic, payload)).IsSuccess);

        var item = Assert.Single(await ItemsAsync(shared, device.Id, 1));
        Assert.Equal(["id", "device_id", "topic", "protocol", "received_at", "reason", "length", "kept"], item.EnumerateObject().Select(member => member.Name));
        Assert.Equal(device.Id, item.GetProperty("device_id").GetString());
        Assert.Equal(device.Topic, item.GetProperty("topic").GetString());
        Assert.Equal("mqtt", item.GetProperty("protocol").GetString());
        Assert.Contains(reason, item.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(payload.Length, item.GetProperty("length").GetInt64());
        Assert.Equal(payload, (await shared.Client.ReadAsync($"/api/v1/quarantine/{IdOf(item)}?download")).Text);
        Assert.Equal(payload, (await shared.Client.ReadAsync($"/api/v1/quarantine/{IdOf(item)}", "application/octet-stream")).Text);
        Assert.Equal(item.ToString(), (await shared.Client.ReadAsync($"/api/v1/quarantine/{IdOf(item)}")).Text);
        Assert.Equal(0, await shared.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Of_a_batch_the_good_are_stored_and_each_of_the_others_is_kept_by_itself()
    {
        var device = await shared.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(shared, device.Id, device.Token, MqttProtocolVersion.V311);
        Assert.True((await mqtt.PublishAsync(device.Topic, $$$"""[{{{Good}}}, 17 ,{{{Good}}},{"data_type":7,"payload":{}} ,{"device_id":"other","data_type":"t","payload":{}}]""", MqttQualityOfServiceLevel.ExactlyOnce)).IsSuccess);
        var items = await ItemsAsync(shared, device.Id, 3);
        var bytes = new List<string>();
        foreach (var item in items)
            bytes.Add((await shared.Client.ReadAsync($"/api/v1/quarantine/{IdOf(item)}?download")).Text.Trim());
        Assert.Equal(["17", """{"data_type":7,"payload":{}}""", """{"device_id":"other","data_type":"t","payload":{}}"""], bytes.Order(StringComparer.Ordinal));
        await Eventually.TrueAsync(async () => await shared.StoredAsync(device.Id) == 2, "the good ones");
    }

    [Fact]
    public async Task What_a_device_may_not_write_is_kept_under_its_own_name_and_reaches_no_subscriber()
    {
        var (device, other) = (await shared.NewDeviceAsync(), await shared.NewDeviceAsync());
        await using var subscriber = await MqttUser.ConnectAsync(shared, "admin", Platform.AdminKey);
        await subscriber.SubscribeAsync(other.Topic);
        await using var mqtt = await MqttUser.ConnectAsync(shared, device.Id, device.Token, MqttProtocolVersion.V311);
        Assert.True((await mqtt.PublishAsync(other.Topic, Good)).IsSuccess);
        var item = Assert.Single(await ItemsAsync(shared, device.Id, 1));
        Assert.Equal(other.Topic, item.GetProperty("topic").GetString());
        Assert.Equal(409, (await RetryAsync(shared, IdOf(item))).Status);
        await using var allowed = await MqttUser.ConnectAsync(shared, other.Id, other.Token);
        Assert.True((await allowed.PublishAsync(other.Topic, Good)).IsSuccess);
        await Eventually.TrueAsync(() => Task.FromResult(!subscriber.Received.IsEmpty), "the publish that is allowed");
        Assert.Single(subscriber.Received);
    }

    [Fact]
    public async Task Those_who_can_be_told_and_strangers_have_nothing_kept()
    {
        var device = await shared.NewDeviceAsync();
        await using var mqtt5 = await MqttUser.ConnectAsync(shared, device.Id, device.Token);
        Assert.False((await mqtt5.PublishAsync(device.Topic, "nonsense")).IsSuccess);
        Assert.Equal(400, (await shared.As(device.Token).PostReadingAsync("nonsense")).Status);
        await using var mqtt3 = await MqttUser.ConnectAsync(shared, device.Id, device.Token, MqttProtocolVersion.V311);
        Assert.True((await mqtt3.PublishAsync(device.Topic, "last")).IsSuccess);
        Assert.Single(await ItemsAsync(shared, device.Id, 1));

        var id = Platform.NewId("stranger");
        await using var stranger = await MqttUser.ConnectAsync(open, null, null, MqttProtocolVersion.V311);
        Assert.True((await stranger.PublishAsync($"devices/{id}/data", "nonsense")).IsSuccess);
        Assert.True((await stranger.PublishAsync($"devices/{id}/data", Good)).IsSuccess);
        await Eventually.TrueAsync(async () => await open.StoredAsync(id) == 1, "the good one");
        Assert.Empty((await open.Client.ReadAsync($"/api/v1/quarantine?device_id={id}")).Items);
    }

    [Fact]
    public async Task The_acknowledgement_of_a_bad_reading_outlives_a_kill_and_a_retry_stores_it_once()
    {
        await using var platform = new Platform(("Gateway__MaxReadingAgeDays", "10"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var old = TimeProvider.System.GetUtcNow().AddDays(-20).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        await using (var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token, MqttProtocolVersion.V311))
        {
            Assert.True((await mqtt.PublishAsync(device.Topic, $$$"""{"timestamp":"{{{old}}}","data_type":"old","payload":{"x":1}}""")).IsSuccess);
            await platform.KillAsync();
        }
        platform.Set("Gateway__MaxReadingAgeDays", "30");
        await platform.StartAsync();
        var id = IdOf(Assert.Single(await ItemsAsync(platform, device.Id, 1)));

        var viewer = platform.As((await platform.NewKeyAsync("viewer")).Key);
        Assert.Equal(200, (await viewer.ReadAsync($"/api/v1/quarantine/{id}")).Status);
        Assert.Equal(403, (await viewer.SendAsync(HttpMethod.Post, $"/api/v1/quarantine/{id}/retry")).Status);
        Assert.Equal(403, (await viewer.RemoveAsync($"/api/v1/quarantine/{id}")).Status);
        Assert.Equal(403, (await viewer.RemoveAsync("/api/v1/quarantine")).Status);
        Assert.Equal(401, (await platform.Stranger.ReadAsync("/api/v1/quarantine")).Status);

        Assert.Equal("""{"accepted":1,"duplicates":0,"rejected":[]}""", (await RetryAsync(platform, id)).Text);
        Assert.Equal(404, (await RetryAsync(platform, id)).Status);
        Assert.Empty((await platform.Client.ReadAsync("/api/v1/quarantine")).Items);
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 1, "the retried reading");
    }

    [Fact]
    public async Task What_postgresql_refuses_is_kept_and_can_be_retried_when_its_cause_is_gone()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await platform.ScalarAsync<int>("do $$ begin alter table device_data add constraint no_poison check (data_type <> 'poison'); end $$; select 1");
        var answer = await platform.As(device.Token).PostReadingAsync($$$"""[{{{Good}}},{"message_id":"p","data_type":"poison","payload":{"x":2}},{{{Good}}}]""");
        Assert.Equal(3, answer.Accepted);
        var item = Assert.Single(await ItemsAsync(platform, device.Id, 1));
        Assert.Contains("no_poison", item.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 2, "the others");

        await platform.ScalarAsync<int>("do $$ begin alter table device_data drop constraint no_poison; end $$; select 1");
        Assert.Equal(1, (await RetryAsync(platform, IdOf(item))).Accepted);
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 3, "the retried reading");
        var latest = (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data?data_type=poison")).Items;
        Assert.Equal(2, Assert.Single(latest).GetProperty("payload").GetProperty("x").GetInt32());
    }

    [Fact]
    public async Task Only_the_first_64_KiB_are_kept_and_only_what_is_whole_is_retried()
    {
        var device = await shared.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(shared, device.Id, device.Token, MqttProtocolVersion.V311);
        var payload = new string('x', 200_000);
        Assert.True((await mqtt.PublishAsync(device.Topic, payload)).IsSuccess);
        var item = Assert.Single(await ItemsAsync(shared, device.Id, 1));
        Assert.Equal((200_000, 65_536), (item.GetProperty("length").GetInt32(), item.GetProperty("kept").GetInt32()));
        Assert.Equal(payload[..65_536], (await shared.Client.ReadAsync($"/api/v1/quarantine/{IdOf(item)}?download")).Text);
        Assert.Contains("65536", (await RetryAsync(shared, IdOf(item))).Text, StringComparison.Ordinal);

        Assert.Equal(204, (await shared.Client.RemoveAsync($"/api/v1/quarantine/{IdOf(item)}")).Status);
        Assert.Equal(404, (await shared.Client.RemoveAsync($"/api/v1/quarantine/{IdOf(item)}")).Status);
        Assert.Equal(404, (await shared.Client.ReadAsync($"/api/v1/quarantine/{IdOf(item)}")).Status);
    }

    [Fact]
    public async Task Count_and_age_are_bounded_and_a_list_is_paged_newest_first()
    {
        await using var platform = new Platform(("Storage__QuarantineEntries", "20"), ("Storage__QuarantineDays", "5"));
        await platform.StartAsync();
        var (device, other) = (await platform.NewDeviceAsync(), await platform.NewDeviceAsync());
        await using (var mqtt = await MqttUser.ConnectAsync(platform, other.Id, other.Token, MqttProtocolVersion.V311))
            await mqtt.PublishAsync(other.Topic, "the others");
        // Each lane is stored by itself: without waiting, this one may come last.
        await Eventually.TrueAsync(async () => await platform.ScalarAsync<long>("select count(*) from quarantine") == 1, "the oldest");
        await using (var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token, MqttProtocolVersion.V311))
        {
            for (var i = 0; i < 30; i++)
                await mqtt.PublishAsync(device.Topic, $"bad {i}");
        }
        await Eventually.TrueAsync(async () => await platform.ScalarAsync<string>("select convert_from(bytes, 'UTF8') from quarantine order by id desc limit 1") == "bad 29"
            && await platform.ScalarAsync<long>("select count(*) from quarantine") == 20, "the newest twenty");
        var paged = await platform.Client.ReadAllAsync($"/api/v1/quarantine?device_id={device.Id}&limit=7");
        Assert.Equal(20, paged.Count);
        Assert.Equal(paged.Select(IdOf).OrderDescending(), paged.Select(IdOf));
        Assert.Equal(400, (await platform.Client.ReadAsync("/api/v1/quarantine?limit=0")).Status);
        Assert.Equal(400, (await platform.Client.ReadAsync("/api/v1/quarantine?cursor=x")).Status);

        await platform.ScalarAsync<long>("with aged as (update quarantine set received_at = received_at - interval '6 days' where id <= (select id from quarantine order by id desc offset 3 limit 1) returning 1) select count(*) from aged");
        await platform.StopAsync();
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/api/v1/quarantine")).Items.Count == 3, "the youngest three");
        Assert.Equal("""{"removed":0}""", (await platform.Client.RemoveAsync($"/api/v1/quarantine?device_id={other.Id}")).Text);
        Assert.Equal("""{"removed":3}""", (await platform.Client.RemoveAsync("/api/v1/quarantine")).Text);
    }

    private static long IdOf(JsonElement item) => item.GetProperty("id").GetInt64();

    private static Task<Answer> RetryAsync(Platform platform, long id) => platform.Client.SendAsync(HttpMethod.Post, $"/api/v1/quarantine/{id}/retry");

    private static async Task<IReadOnlyList<JsonElement>> ItemsAsync(Platform platform, string deviceId, int count) =>
        await Eventually.SomethingAsync(
            async () => (await platform.Client.ReadAsync($"/api/v1/quarantine?device_id={deviceId}")).Items is { } items && items.Count >= count ? items : null,
            $"{count} entries of {deviceId}");
}
