using IoT.Tests.Support;
using MQTTnet;
using MQTTnet.Formatter;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt;

/// <summary>Who may publish and subscribe where.</summary>
public sealed class AccessTests(SharedPlatform platform, OpenPlatform open)
{
    private const string Reading = """{"data_type":"t","payload":{"x":1}}""";
    private const int NotAuthorized = 0x87;

    [Theory]
    [InlineData("admin", "mqttv311")]
    [InlineData("admin", "mqttv5")]
    [InlineData("viewer", "mqttv311")]
    [InlineData("viewer", "mqttv5")]
    public async Task Mosquitto_sub_sees_readings_with_a_key(string role, string version)
    {
        var device = await platform.NewDeviceAsync();
        var (name, key) = role == "admin" ? ("admin", Platform.AdminKey) : await platform.NewKeyAsync(role);
        await using var subscriber = ClientTool.Start("stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", $"{platform.MqttPort}", "-V", version,
            "-d", "-u", name, "-P", key, "-q", "1", "-t", "devices/+/data", "-v");
        await Eventually.TrueAsync(() => Task.FromResult(subscriber.Lines.Any(line => line.Contains("SUBACK", StringComparison.Ordinal))), "the subscription");

        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.True((await mqtt.PublishAsync(device.Topic, Reading)).IsSuccess);
        await Eventually.TrueAsync(() => Task.FromResult(subscriber.Lines.Contains($"{device.Topic} {Reading}")), "the delivery of what was published");
    }

    [Fact]
    public async Task A_device_publishes_only_its_own_data_and_replies()
    {
        var device = await platform.NewDeviceAsync();
        var other = await platform.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);

        Assert.Equal(0, await CodeAsync(device.Topic));
        Assert.True(await CodeAsync($"devices/{device.Id}/commands/1/reply") is 0 or 0x10);
        foreach (var topic in new[] { other.Topic, $"devices/{Platform.NewId()}/data", $"devices/{other.Id}/commands/1/reply", $"devices/{device.Id}/commands/1", "anything", "inferences/a/b", "$SYS/x" })
            Assert.True(await CodeAsync(topic) == NotAuthorized, topic);
        Assert.True(mqtt.IsConnected);
        Assert.Equal(0, await platform.StoredAsync(other.Id));

        async Task<int> CodeAsync(string topic) => (int)(await mqtt.PublishAsync(topic, Reading)).ReasonCode;
    }

    [Fact]
    public async Task A_device_subscribes_only_to_its_own_commands()
    {
        var device = await platform.NewDeviceAsync();
        var other = await platform.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.True((int)await mqtt.SubscribeAsync($"devices/{device.Id}/commands/+") <= 2);
        Assert.True((int)await mqtt.SubscribeAsync($"devices/{device.Id}/commands/#") <= 2);
        foreach (var filter in new[] { "#", "devices/#", "devices/+/commands/+", $"devices/{other.Id}/commands/+", other.Topic, "inferences/#", "$SYS/#", "anything" })
            Assert.True((int)await mqtt.SubscribeAsync(filter) == NotAuthorized, filter);

        await using var mqtt3 = await MqttUser.ConnectAsync(platform, device.Id, device.Token, MqttProtocolVersion.V311);
        Assert.Equal(0x80, (int)await mqtt3.SubscribeAsync("devices/#"));
    }

    [Fact]
    public async Task A_viewer_reads_readings_and_inferences_and_writes_nothing()
    {
        var device = await platform.NewDeviceAsync();
        var (name, key) = await platform.NewKeyAsync("viewer");
        await using var mqtt = await MqttUser.ConnectAsync(platform, name, key);
        Assert.True((int)await mqtt.SubscribeAsync(device.Topic) <= 2);
        Assert.True((int)await mqtt.SubscribeAsync("inferences/#") <= 2);
        Assert.Equal(NotAuthorized, (int)await mqtt.SubscribeAsync($"devices/{device.Id}/commands/#"));
        Assert.Equal(NotAuthorized, (int)(await mqtt.PublishAsync(device.Topic, Reading)).ReasonCode);
        Assert.Equal(0, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task An_admin_key_publishes_for_any_device_which_is_registered()
    {
        var id = Platform.NewId();
        await using var mqtt = await MqttUser.ConnectAsync(platform, "admin", Platform.AdminKey);
        Assert.True((await mqtt.PublishAsync($"devices/{id}/data", Reading)).IsSuccess);
        Assert.Equal(1, await platform.StoredAsync(id));
    }

    [Fact]
    public async Task Strangers_are_let_in_where_the_settings_say_so()
    {
        await Assert.ThrowsAsync<MqttRefusedException>(() => MqttUser.ConnectAsync(platform, null, null));

        var id = Platform.NewId();
        var device = await open.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(open, null, null);
        Assert.Equal(0, (int)(await mqtt.PublishAsync($"devices/{id}/data", Reading)).ReasonCode);
        Assert.Equal(1, await open.StoredAsync(id));
        Assert.Equal(NotAuthorized, (int)(await mqtt.PublishAsync(device.Topic, Reading)).ReasonCode);
        Assert.Equal(0, await open.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Strangers_use_topics_of_their_own_and_see_none_of_the_platforms()
    {
        var id = Platform.NewId();
        var topic = Platform.NewId("lab") + "/x";
        await using var mqtt = await MqttUser.ConnectAsync(open, null, null);
        foreach (var filter in new[] { "devices/#", $"devices/{id}/data", "inferences/+/+", "$SYS/#" })
            Assert.True((int)await mqtt.SubscribeAsync(filter) == NotAuthorized, filter);
        foreach (var reserved in new[] { "devices/x", $"devices/{id}/commands/1", "inferences/a/b", "$SYS/x" })
            Assert.True((int)(await mqtt.PublishAsync(reserved, "x")).ReasonCode == NotAuthorized, reserved);

        // Wildcards that would also cover the platform's topics are granted, and their deliveries filtered.
        Assert.True((int)await mqtt.SubscribeAsync("#") <= 2);
        Assert.True((int)await mqtt.SubscribeAsync("+/+/data") <= 2);
        Assert.True((await mqtt.PublishAsync($"devices/{id}/data", Reading)).IsSuccess);
        Assert.Equal(0, (int)(await mqtt.PublishAsync(topic, "hello")).ReasonCode);
        await Eventually.TrueAsync(() => Task.FromResult(mqtt.Received.Contains((topic, "hello"))), "the stranger's own message");
        Assert.DoesNotContain(mqtt.Received, message => message.Topic.StartsWith("devices/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Anonymous_devices_alone_get_no_topics_and_anonymous_topics_alone_no_devices()
    {
        await using var devices = new Platform(("Security__AnonymousDevices", "true"));
        await using var topics = new Platform(("Security__AnonymousTopics", "true"));
        await Task.WhenAll(devices.StartAsync(), topics.StartAsync());

        await using var device = await MqttUser.ConnectAsync(devices, null, null);
        Assert.Equal(0, (int)(await device.PublishAsync("devices/d/data", Reading)).ReasonCode);
        Assert.Equal(NotAuthorized, (int)(await device.PublishAsync("lab/x", "x")).ReasonCode);
        Assert.Equal(NotAuthorized, (int)await device.SubscribeAsync("#"));

        await using var client = await MqttUser.ConnectAsync(topics, null, null);
        Assert.Equal(NotAuthorized, (int)(await client.PublishAsync("devices/d/data", Reading)).ReasonCode);
        Assert.True((int)await client.SubscribeAsync("lab/#") <= 2);
        Assert.Equal(0, (int)(await client.PublishAsync("lab/x", "x")).ReasonCode);
        await Eventually.TrueAsync(() => Task.FromResult(client.Received.Contains(("lab/x", "x"))), "the message");
        Assert.Equal(404, (await topics.Client.ReadAsync("/api/v1/devices/d")).Status);
    }
}
