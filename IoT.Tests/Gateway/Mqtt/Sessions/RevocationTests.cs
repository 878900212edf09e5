using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Sessions;

public sealed class RevocationTests(SharedPlatform platform)
{
    private static readonly TimeProvider Clock = TimeProvider.System;

    [Fact]
    public async Task A_rotated_token_ends_the_connection_within_a_second_with_its_reason_and_delivers_nothing_more()
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await OpenAsync(device.Id, device.Token);
        await mqtt.SubscribeAsync($"devices/{device.Id}/commands/#", 1);
        await using var admin = await OpenAsync("admin", Platform.AdminKey);

        var start = Clock.GetTimestamp();
        var rotated = await platform.Client.SendAsync(HttpMethod.Post, $"/api/v1/devices/{device.Id}/token");
        await admin.PublishAsync($"devices/{device.Id}/commands/1", "secret", 1);
        var delivered = new List<Packet>();
        while (await mqtt.ReadAsync() is { } packet)
            delivered.Add(packet);
        Assert.InRange(Clock.GetElapsedTime(start).TotalSeconds, 0, 5);
        Assert.Equal(0x87, Assert.Single(delivered).Code);

        // Its session waits for who has the new one.
        await using var again = await OpenAsync(device.Id, rotated.Json.GetProperty("token").GetString()!, clean: false);
        Assert.True(again.ConnAck!.IsSessionPresent);
        Assert.Equal("secret", (await again.ReceiveAsync()).Text);
    }

    [Fact]
    public async Task A_will_of_a_credential_that_was_taken_away_is_not_published()
    {
        var device = await platform.NewDeviceAsync();
        var will = new Will($"devices/{device.Id}/commands/1/reply", "gone");
        await using var admin = await OpenAsync("admin", Platform.AdminKey);
        await admin.SubscribeAsync($"devices/{device.Id}/commands/#", 1);
        await using var mqtt = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0, (await mqtt.ConnectAsync("c", will: will, user: device.Id, password: device.Token)).Code);
        await platform.Client.RemoveAsync($"/api/v1/devices/{device.Id}");
        await mqtt.EndAsync();
        Assert.Empty(await admin.CollectAsync());
    }

    [Theory]
    [InlineData("devices/somebody-else/data")]
    [InlineData("inferences/a/b")]
    [InlineData("$SYS/broker/x")]
    [InlineData("anything")]
    public async Task A_will_may_only_go_where_its_device_may_publish(string topic)
    {
        var device = await platform.NewDeviceAsync();
        await using var mqtt = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0x87, (await mqtt.ConnectAsync("c", will: new Will(topic), user: device.Id, password: device.Token)).Code);
        await using var own = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0, (await own.ConnectAsync("c", will: new Will(device.Topic), user: device.Id, password: device.Token)).Code);
    }

    [Fact]
    public async Task A_will_with_a_reading_is_stored()
    {
        var device = await platform.NewDeviceAsync();
        await using (var mqtt = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5))
            await mqtt.ConnectAsync("c", will: new Will(device.Topic, """{"data_type":"t","payload":{"gone":true}}""", 1), user: device.Id, password: device.Token);
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 1, "the will's reading");
    }

    [Fact]
    public async Task An_admin_reads_the_brokers_counters()
    {
        await using var admin = await OpenAsync("admin", Platform.AdminKey);
        await admin.SubscribeAsync("$SYS/broker/#");
        var seen = new Dictionary<string, string>();
        while (seen.Count < 15)
        {
            var message = await admin.ReceiveAsync();
            seen[message.Topic] = message.Text;
        }
        Assert.Contains("$SYS/broker/clients/connected", seen.Keys);
        Assert.All(seen.Where(entry => entry.Key != "$SYS/broker/version"), entry => Assert.True(long.TryParse(entry.Value, out _), entry.Key));
    }

    private async Task<MqttPeer> OpenAsync(string user, string password, bool clean = true)
    {
        var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0, (await peer.ConnectAsync($"revocation of {user}", clean, properties: Prop.SessionExpiry(60), user: user, password: password)).Code);
        return peer;
    }
}
