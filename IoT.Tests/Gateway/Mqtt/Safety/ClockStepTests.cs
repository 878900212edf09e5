using IoT.Tests.Crash;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Safety;

/// <summary>Somebody sets the clock of a host with connections, forward and back.</summary>
public sealed class ClockStepTests
{
    [Fact]
    public async Task A_step_of_minutes_or_a_day_drops_nobody_and_ends_nothing()
    {
        using var shim = new Shim();
        await using var platform = new Platform([("Security__AnonymousTopics", "true"), .. shim.Settings]);
        await platform.StartAsync();
        await using var watcher = await OpenAsync("watcher");
        await watcher.SubscribeAsync("#", 1);
        await using var quick = await OpenAsync("quick", keepAlive: 30);
        await using var slow = await OpenAsync("slow", keepAlive: 60);
        await using var device = await MqttUser.ConnectAsync(platform, "admin", Platform.AdminKey);
        // An absent one with a session of five minutes and a will that waits four; what waits for it is good for three.
        await using (var away = await OpenAsync("away", 0, Prop.SessionExpiry(300), new Will("gone", Properties: Prop.WillDelay(240))))
            await away.SubscribeAsync("waiting", 1);
        await slow.PublishAsync("waiting", "x", 1, properties: Prop.MessageExpiry(180));
        await watcher.ReceiveAsync();

        foreach (var ahead in new[] { TimeSpan.FromMinutes(10), TimeSpan.FromDays(1), -TimeSpan.FromMinutes(10), -TimeSpan.FromDays(1), TimeSpan.Zero })
        {
            shim.SetClock(ahead);
            await Eventually.TrueAsync(
                async () =>
                {
                    using var answer = await platform.Stranger.GetAsync(new Uri("/health/live", UriKind.Relative), TestContext.Current.CancellationToken);
                    return (answer.Headers.Date - TimeProvider.System.GetUtcNow() - ahead)?.Duration() < TimeSpan.FromSeconds(30);
                },
                $"a host whose clock is ahead by {ahead}");
            await quick.PingAsync();
            await slow.PingAsync();
            await slow.PublishAsync("lab", $"{ahead}", 1);
            Assert.Equal($"{ahead}", (await watcher.ReceiveAsync()).Text);
            Assert.True((await device.PublishAsync("devices/stepped/data", """{"data_type":"t","payload":{"x":1}}""")).IsSuccess);
        }
        // No will of anybody's, and the absent one finds its session and what waits in it.
        Assert.Empty(await watcher.CollectAsync());
        await using var back = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.True((await back.ConnectAsync("away", clean: false)).IsSessionPresent);
        Assert.Equal("x", (await back.ReceiveAsync()).Text);
        Assert.True(device.IsConnected);

        async Task<MqttPeer> OpenAsync(string id, ushort keepAlive = 60, byte[]? properties = null, Will? will = null)
        {
            var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
            Assert.Equal(0, (await peer.ConnectAsync(id, true, keepAlive, properties, will)).Code);
            return peer;
        }
    }
}
