using System.Text.Json;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt;

/// <summary>A publish over the packet limit: its connection ends, and the device's owner finds out why.</summary>
public sealed class TooLargeTests(SharedPlatform platform)
{
    private const int TooLong = 1_100_000;

    private static readonly string Payload = $$$"""{"data_type":"t","payload":{"x":"{{{new string('x', TooLong)}}}"}}""";

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task MQTT_5_is_told_and_the_ledger_says_rejected(int qos)
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await ConnectAsync(device, 5);
        Assert.Equal(0, await mqtt.PublishAsync(device.Topic, """{"data_type":"t","payload":{"x":1}}""", 1, properties: Prop.TopicAlias(3)));
        // By the alias.
        await mqtt.SendAsync(mqtt.PublishPacket("", Payload, qos, id: 7, properties: Prop.TopicAlias(3)));
        Assert.Equal(0x95, (byte)(await mqtt.EndAsync())!);
        await Eventually.TrueAsync(async () => (await LedgerAsync(device)).GetProperty("rejected").GetInt64() == 1, "the ledger's entry");
        Assert.Equal(0, (await LedgerAsync(device)).GetProperty("quarantined").GetInt64());
        Assert.Equal(1, await platform.StoredAsync(device.Id));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task MQTT_3_is_closed_and_the_beginning_is_kept_in_the_quarantine(int qos)
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await ConnectAsync(device, 4);
        await mqtt.SendAsync(mqtt.PublishPacket(device.Topic, Payload, qos, id: 7));
        Assert.Null(await mqtt.EndAsync());
        var item = await ItemAsync(device);
        Assert.Equal(device.Topic, item.GetProperty("topic").GetString());
        Assert.Contains("over the limit of 1048576", item.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal((Payload.Length, 65_536), (item.GetProperty("length").GetInt32(), item.GetProperty("kept").GetInt32()));
        Assert.Equal(Payload[..65_536], (await platform.Client.ReadAsync($"/api/v1/quarantine/{item.GetProperty("id").GetInt64()}?download")).Text);
        await Eventually.TrueAsync(async () => (await LedgerAsync(device)).GetProperty("quarantined").GetInt64() == 1, "the ledger's entry");
    }

    [Fact]
    public async Task What_never_follows_is_not_waited_for_and_what_came_is_kept()
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await ConnectAsync(device, 4);
        await mqtt.SendAsync(mqtt.PublishPacket(device.Topic, Payload, 1, id: 7)[..1000]);
        Assert.Null(await mqtt.EndAsync());
        var item = await ItemAsync(device);
        Assert.Equal(Payload.Length, item.GetProperty("length").GetInt32());
        Assert.InRange(item.GetProperty("kept").GetInt32(), 900, 1000);
    }

    [Fact]
    public async Task Of_another_devices_topic_it_is_kept_under_its_own_name_and_of_other_packets_nothing_is()
    {
        var (device, other) = (await platform.NewDeviceAsync(), await platform.NewDeviceAsync());
        await using (var mqtt = await ConnectAsync(device, 4))
        {
            await mqtt.SendAsync(mqtt.SubscribePacket(1, null, [.. Enumerable.Range(0, 20).Select(n => (new string('x', 60_000), n))]));
            Assert.Null(await mqtt.EndAsync());
        }
        await using (var mqtt = await ConnectAsync(device, 4))
        {
            await mqtt.SendAsync(mqtt.PublishPacket(other.Topic, Payload, 1, id: 7));
            Assert.Null(await mqtt.EndAsync());
        }
        var item = await ItemAsync(device);
        Assert.Equal(other.Topic, item.GetProperty("topic").GetString());
        Assert.Contains("not the device", item.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    private async Task<MqttPeer> ConnectAsync(TestDevice device, int version)
    {
        var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, version);
        Assert.Equal(0, (await peer.ConnectAsync(MqttPeer.NewName("large"), user: device.Id, password: device.Token)).Code);
        return peer;
    }

    /// <summary>The device's only one.</summary>
    private async Task<JsonElement> ItemAsync(TestDevice device)
    {
        List<JsonElement> items = [];
        await Eventually.TrueAsync(
            async () => (items = [.. (await platform.Client.ReadAsync($"/api/v1/quarantine?device_id={device.Id}")).Json.GetProperty("items").EnumerateArray()]).Count > 0, "an entry in the quarantine");
        return Assert.Single(items);
    }

    private async Task<JsonElement> LedgerAsync(TestDevice device) =>
        (await platform.Client.ReadAsync($"/api/v1/ledger?device_id={device.Id}")).Json.GetProperty("items").EnumerateArray().Single();
}
