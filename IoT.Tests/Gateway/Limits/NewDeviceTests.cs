using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Limits;

public sealed class NewDeviceTests(LimitedPlatform platform) : IClassFixture<LimitedPlatform>
{
    [Fact]
    public async Task Made_up_devices_are_limited_and_known_ones_go_on()
    {
        var known = Platform.NewId("known");
        Assert.Equal(200, (await platform.Stranger.PostReadingAsync(Of(known))).Status);
        var made = await platform.Stranger.PostReadingAsync(Batch(Enumerable.Range(0, 100).Select(n => Of($"made-up-{n}"))));
        Assert.Equal(200, made.Status);
        Assert.InRange(made.Accepted, 8, 10);
        Assert.Matches("^device_id: made-up-99 is new, and too many new devices have come of late; send again in [0-9]+ s$", made.Rejected[^1].Error);

        var more = await platform.Stranger.PostReadingAsync(Of("made-up-too"));
        Assert.Equal((429, "urn:iot:problem:rate-limited"), (more.Status, more.Problem));
        Assert.InRange(more.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);

        // Over MQTT the connection is held, and only that one.
        await using var held = await RawMqtt.ConnectAsync(platform, null, null, keepAliveSeconds: 0);
        await held.PublishAsync("devices/made-up-three/data", """{"data_type":"t","payload":{}}""");
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_mqtt_connections_held") == 1, "the connection held");
        await using var mqtt = await MqttUser.ConnectAsync(platform, null, null);
        Assert.True((await mqtt.PublishAsync($"devices/{known}/data", """{"data_type":"t","payload":{}}""")).IsSuccess);
        Assert.Equal(200, (await platform.Stranger.PostReadingAsync(Of(known))).Status);
        Assert.Equal(0, held.Acknowledged);

        // A token that an admin has made is not a stranger's, and an admin brings in what he likes.
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Of(device.Id))).Status);
        Assert.Equal(100, (await platform.Client.PostReadingAsync(Batch(Enumerable.Range(0, 100).Select(n => Of($"admins-{n}"))))).Accepted);
        Assert.Equal(made.Accepted, await platform.ScalarAsync<long>("select count(*) from devices where external_id like 'made-up-%'"));
    }

    private static string Of(string id) => $$$"""{"device_id":"{{{id}}}","data_type":"t","payload":{}}""";

    private static string Batch(IEnumerable<string> readings) => $"[{string.Join(',', readings)}]";
}
