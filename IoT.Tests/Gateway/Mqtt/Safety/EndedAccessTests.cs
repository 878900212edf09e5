using System.Diagnostics;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Safety;

/// <summary>Whose session it is, and the end of an access.</summary>
public sealed class EndedAccessTests(SharedPlatform platform)
{
    [Fact]
    public async Task Nobody_takes_over_or_sees_the_session_of_another_credential()
    {
        var (one, two) = (await platform.NewDeviceAsync(), await platform.NewDeviceAsync());
        var (name, key) = await platform.NewKeyAsync("admin");
        await using var first = await ConnectAsync("shared-id", one.Id, one.Token);
        Assert.Equal(1, await first.SubscribeAsync($"devices/{one.Id}/commands/+", 1));
        foreach (var (user, password) in new[] { (two.Id, two.Token), (name, key), ("admin", Platform.AdminKey) })
        {
            await using var other = await ConnectAsync("shared-id", user, password);
            Assert.False(other.ConnAck!.IsSessionPresent);
            // Not even by the name that the platform may give it inside.
            await using var inside = await ConnectAsync($"device:{one.Id}/shared-id", user, password);
            Assert.False(inside.ConnAck!.IsSessionPresent);
            await first.PingAsync();
        }
    }

    [Theory]
    [InlineData("rotate")]
    [InlineData("disable")]
    [InlineData("delete")]
    [InlineData("key")]
    public async Task An_access_that_ends_takes_its_connections_along_within_a_second(string how)
    {
        var device = await platform.NewDeviceAsync();
        var (name, key) = await platform.NewKeyAsync("viewer");
        var (user, password) = how == "key" ? (name, key) : (device.Id, device.Token);
        await using var idle = await ConnectAsync("idle", user, password);
        await using var subscribed = await ConnectAsync("subscribed", user, password);
        await subscribed.SubscribeAsync(how == "key" ? "devices/+/data" : $"devices/{device.Id}/commands/#", 1);
        await using var bystander = await ConnectAsync("bystander", "admin", Platform.AdminKey);

        var ended = Task.WhenAll(idle.EndAsync(), subscribed.EndAsync());
        var address = new Uri(how switch { "key" => $"/api/v1/api-keys/{name}", "rotate" => $"/api/v1/devices/{device.Id}/token", _ => $"/api/v1/devices/{device.Id}" }, UriKind.Relative);
        using var disabled = new StringContent("""{"status":"disabled"}""", null, "application/json");
        using var answer = how switch
        {
            "rotate" => await platform.Client.PostAsync(address, null, TestContext.Current.CancellationToken),
            "disable" => await platform.Client.PatchAsync(address, disabled, TestContext.Current.CancellationToken),
            _ => await platform.Client.DeleteAsync(address, TestContext.Current.CancellationToken),
        };
        Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}");
        var start = Stopwatch.GetTimestamp();
        await ended;
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1));
        await bystander.PingAsync();
        await using var again = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0x86, (await again.ConnectAsync("idle", user: user, password: password)).Code);
    }

    private async Task<MqttPeer> ConnectAsync(string id, string user, string password)
    {
        var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0, (await peer.ConnectAsync(id, clean: false, properties: Prop.SessionExpiry(60), user: user, password: password)).Code);
        return peer;
    }
}
