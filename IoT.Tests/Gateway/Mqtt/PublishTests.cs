using IoT.Tests.Support;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt;

public sealed class PublishTests(SharedPlatform platform)
{
    private const string Good = """{"data_type":"climate","payload":{"temperature":21.5}}""";

    public static TheoryData<string, string> VersionsAndQualities => new()
    {
        { "mqttv311", "0" }, { "mqttv311", "1" }, { "mqttv311", "2" }, { "mqttv5", "0" }, { "mqttv5", "1" }, { "mqttv5", "2" },
    };

    [Theory]
    [MemberData(nameof(VersionsAndQualities))]
    public async Task Mosquitto_pub_gets_a_reading_in(string version, string quality)
    {
        var device = await platform.NewDeviceAsync();
        var sent = await PubAsync(device, version, quality, Good);
        Assert.True(sent.ExitCode == 0, sent.ToString());

        if (quality == "0")
            await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 1, "the reading that was sent without an acknowledgement");
        Assert.Equal(1, await platform.StoredAsync(device.Id));
        var stored = Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest")).Items);
        Assert.Equal(21.5, stored.GetProperty("payload").GetProperty("temperature").GetDouble());
    }

    [Theory]
    [InlineData(MqttProtocolVersion.V311)]
    [InlineData(MqttProtocolVersion.V500)]
    public async Task An_acknowledged_reading_is_in_the_database(MqttProtocolVersion version)
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token, version);
        for (var n = 1; n <= 20; n++)
        {
            var quality = n % 2 == 0 ? MqttQualityOfServiceLevel.AtLeastOnce : MqttQualityOfServiceLevel.ExactlyOnce;
            Assert.True((await mqtt.PublishAsync(device.Topic, Good, quality)).IsSuccess);
            Assert.Equal(n, await platform.StoredAsync(device.Id));
        }
    }

    [Fact]
    public async Task An_array_is_a_batch_of_which_the_good_ones_are_stored()
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.Equal(MqttClientPublishReasonCode.Success, (await mqtt.PublishAsync(device.Topic, $"[{Good},{Good},{Good}]")).ReasonCode);
        Assert.Equal(3, await platform.StoredAsync(device.Id));

        var mixed = await mqtt.PublishAsync(device.Topic, $$$"""[{{{Good}}},{"data_type":"t","payload":{"x":"\u0000"}},{{{Good}}}]""");
        Assert.Equal(MqttClientPublishReasonCode.PayloadFormatInvalid, mixed.ReasonCode);
        Assert.Contains("[1] payload.x", mixed.ReasonString, StringComparison.Ordinal);
        Assert.Equal(5, await platform.StoredAsync(device.Id));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"data_type":"t","payload":{"x":1e200000}}""")]
    [InlineData("""{"device_id":"somebody-else","data_type":"t","payload":{}}""")]
    public async Task A_wrong_reading_is_answered_0x99_in_mqtt_5_and_acknowledged_in_mqtt_3(string payload)
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt5 = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.Equal(0x99, (int)(await mqtt5.PublishAsync(device.Topic, payload)).ReasonCode);
        Assert.Equal(0x99, (int)(await mqtt5.PublishAsync(device.Topic, payload, MqttQualityOfServiceLevel.ExactlyOnce)).ReasonCode);

        await using var mqtt3 = await MqttUser.ConnectAsync(platform, device.Id, device.Token, MqttProtocolVersion.V311);
        Assert.True((await mqtt3.PublishAsync(device.Topic, payload)).IsSuccess);
        Assert.True((await mqtt3.PublishAsync(device.Topic, payload, MqttQualityOfServiceLevel.ExactlyOnce)).IsSuccess);

        // Neither connection has suffered.
        Assert.True((await mqtt5.PublishAsync(device.Topic, Good)).IsSuccess);
        Assert.True((await mqtt3.PublishAsync(device.Topic, Good)).IsSuccess);
        Assert.Equal(2, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task The_readings_device_may_be_named_when_it_is_the_topics()
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.True((await mqtt.PublishAsync(device.Topic, $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","payload":{}}""")).IsSuccess);
        Assert.Equal(1, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Publishes_of_one_client_do_not_wait_for_one_another_and_are_acknowledged_in_order()
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token, watchAcknowledgements: true);
        for (var i = 0; i < 50; i++)
            await mqtt.PublishAsync(device.Topic, Good);

        const int alone = 200;
        const int together = 1_000;
        var oneByOne = await RateAsync(alone, async () =>
        {
            for (var i = 0; i < alone; i++)
                await mqtt.PublishAsync(device.Topic, Good);
        });
        mqtt.Acknowledged.Clear();
        var inFlight = await RateAsync(together, () => Task.WhenAll(Enumerable.Range(0, together).Select(_ => mqtt.PublishAsync(device.Topic, Good))));

        Assert.True(inFlight > 5 * oneByOne, $"{inFlight:0} a second in flight, {oneByOne:0} one by one");
        Assert.Equal(together, mqtt.Acknowledged.Count);
        var first = mqtt.Acknowledged.First();
        Assert.Equal(Enumerable.Range(first, together), mqtt.Acknowledged);
        Assert.Equal(50 + alone + together, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task A_device_id_that_is_none_in_the_topic_is_refused()
    {
        await using var admin = await MqttUser.ConnectAsync(platform, "admin", Platform.AdminKey);
        Assert.NotEqual(MqttClientPublishReasonCode.Success, (await admin.PublishAsync("devices/no id/data", Good)).ReasonCode);
        Assert.NotEqual(MqttClientPublishReasonCode.Success, (await admin.PublishAsync($"devices/{new string('d', 129)}/data", Good)).ReasonCode);
        Assert.True(admin.IsConnected);
    }

    [Fact]
    public async Task A_packet_over_a_mebibyte_ends_the_connection_and_nothing_else()
    {
        var device = await platform.NewDeviceAsync();
        await using var bystander = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.True((await mqtt.PublishAsync(device.Topic, ReadingOf(1_000_000))).IsSuccess);
        await Assert.ThrowsAnyAsync<Exception>(() => mqtt.PublishAsync(device.Topic, ReadingOf(1_100_000)));
        await mqtt.Disconnected;

        Assert.True((await bystander.PublishAsync(device.Topic, Good)).IsSuccess);
        Assert.Equal(2, await platform.StoredAsync(device.Id));

        static string ReadingOf(int bytes) => $$$"""{"data_type":"t","payload":{"x":"{{{new string('x', bytes)}}}"}}""";
    }

    private Task<ToolResult> PubAsync(TestDevice device, string version, string quality, string payload) =>
        ClientTool.RunAsync("mosquitto_pub", "-h", "127.0.0.1", "-p", $"{platform.MqttPort}", "-V", version, "-q", quality,
            "-u", device.Id, "-P", device.Token, "-t", device.Topic, "-m", payload);

    private static async Task<double> RateAsync(int count, Func<Task> publish)
    {
        var start = TimeProvider.System.GetTimestamp();
        await publish();
        return count / TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }
}
