using IoT.Tests.Support;
using MQTTnet;
using MQTTnet.Formatter;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt;

public sealed class SignInTests(SharedPlatform platform)
{
    public static TheoryData<string?, string?> Wrong => new()
    {
        { "known", "wrong" }, { "known", "" }, { "known", null }, { "nobody", "token" }, { "admin", "wrong" }, { "known", Platform.AdminKey }, { null, null },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Wrong_credentials_are_refused_with_the_versions_own_code(string? user, string? password)
    {
        if (user == "known")
            user = (await platform.NewDeviceAsync()).Id;
        Assert.Contains(await ConnectCodeAsync(user, password, MqttProtocolVersion.V311), new[] { 4, 5 });
        Assert.Contains(await ConnectCodeAsync(user, password, MqttProtocolVersion.V500), new[] { 0x86, 0x87 });
    }

    [Theory]
    [InlineData("mqttv311", "Bad user")]
    [InlineData("mqttv5", "Bad user")]
    public async Task Mosquitto_pub_says_that_the_password_is_wrong(string version, string expected)
    {
        var device = await platform.NewDeviceAsync();
        var sent = await ClientTool.RunAsync("mosquitto_pub", "-h", "127.0.0.1", "-p", $"{platform.MqttPort}", "-V", version, "-q", "1",
            "-u", device.Id, "-P", "wrong", "-t", device.Topic, "-m", "{}");
        Assert.NotEqual(0, sent.ExitCode);
        Assert.Contains(expected, sent.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_device_signs_in_with_any_client_id_and_takes_over_only_its_own_sessions()
    {
        var device = await platform.NewDeviceAsync();
        var other = await platform.NewDeviceAsync();
        var clientId = Platform.NewId("the same client");
        await using var first = await MqttUser.ConnectAsync(platform, device.Id, device.Token, clientId: clientId);
        await using var stranger = await MqttUser.ConnectAsync(platform, other.Id, other.Token, clientId: clientId);
        Assert.True((await first.PublishAsync(device.Topic, Reading)).IsSuccess);
        Assert.True((await stranger.PublishAsync(other.Topic, Reading)).IsSuccess);

        await using var second = await MqttUser.ConnectAsync(platform, device.Id, device.Token, clientId: clientId);
        await first.Disconnected;
        Assert.True((await second.PublishAsync(device.Topic, Reading)).IsSuccess);
        Assert.True(stranger.IsConnected);
    }

    [Theory]
    [InlineData("rotate")]
    [InlineData("disable")]
    [InlineData("delete")]
    public async Task A_connection_ends_with_the_access_that_it_was_made_with(string how)
    {
        var device = await platform.NewDeviceAsync();
        var path = $"/api/v1/devices/{device.Id}";
        await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.True((await mqtt.PublishAsync(device.Topic, Reading)).IsSuccess);

        var changed = how switch
        {
            "rotate" => await platform.Client.SendAsync(HttpMethod.Post, $"{path}/token"),
            "disable" => await platform.Client.PatchJsonAsync(path, """{"status":"disabled"}"""),
            _ => await platform.Client.RemoveAsync(path),
        };
        await mqtt.Disconnected;

        Assert.Contains(await ConnectCodeAsync(device.Id, device.Token, MqttProtocolVersion.V500), new[] { 0x86, 0x87 });
        if (how == "rotate")
            await (await MqttUser.ConnectAsync(platform, device.Id, changed.Json.GetProperty("token").GetString())).DisposeAsync();
        if (how == "disable")
        {
            await platform.Client.PatchJsonAsync(path, """{"status":"active"}""");
            await (await MqttUser.ConnectAsync(platform, device.Id, device.Token)).DisposeAsync();
        }
    }

    [Fact]
    public async Task A_connection_ends_with_its_api_key()
    {
        var (name, key) = await platform.NewKeyAsync("viewer");
        await using var mqtt = await MqttUser.ConnectAsync(platform, name, key);
        Assert.Equal(204, (await platform.Client.RemoveAsync($"/api/v1/api-keys/{name}")).Status);
        Assert.Contains(await ConnectCodeAsync(name, key, MqttProtocolVersion.V500), new[] { 0x86, 0x87 });
        await mqtt.Disconnected;
    }

    private const string Reading = """{"data_type":"t","payload":{}}""";

    /// <summary>The CONNACK's code as it was sent; MQTTnet shows those of 3.1.1 by their names in 5.</summary>
    private async Task<int> ConnectCodeAsync(string? user, string? password, MqttProtocolVersion version)
    {
        try
        {
            await using var mqtt = await MqttUser.ConnectAsync(platform, user, password, version);
            return 0;
        }
        catch (MqttRefusedException refused)
        {
            return (version, refused.Code) switch
            {
                (MqttProtocolVersion.V311, MqttClientConnectResultCode.BadUserNameOrPassword) => 4,
                (MqttProtocolVersion.V311, MqttClientConnectResultCode.NotAuthorized) => 5,
                _ => (int)refused.Code,
            };
        }
    }
}
