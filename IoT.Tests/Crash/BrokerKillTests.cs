using System.Globalization;
using System.Text.Json;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>
/// The broker's promises while the host is killed: what was acknowledged to a publisher reaches the subscriber whose session lasts; with
/// QoS 2 exactly once, from a device into the database and to the subscriber, without a message_id; retained messages and subscriptions
/// are there again.
/// </summary>
public sealed class BrokerKillTests
{
    private const int RetainedTopics = 5;

    [Fact]
    public async Task Whatever_is_killed_subscribers_get_what_was_acknowledged_and_QoS_2_exactly_once()
    {
        var seed = CrashForm.Seed();
        var random = new Random(seed);
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = new Numbers(await platform.NewDeviceAsync("crash"), withIds: false);

        using var exactlyOnce = new LastingSubscriber(platform, "exactly-once", "devices/+/data", 2, seed + 1);
        using var atLeastOnce = new LastingSubscriber(platform, "at-least-once", "lab/#", 1, seed + 2);
        using var sender = new LastingPublisher(platform, device.Device.Id, device.Device.Token, "sender", 2, n => (device.Device.Topic, device.Body(n)));
        using var lab = new LastingPublisher(platform, "admin", Platform.AdminKey, "lab", 1, n => ("lab/numbers", Text(n)));
        using var keeper = new LastingPublisher(platform, "admin", Platform.AdminKey, "keeper", 1, n => ($"kept/{n % RetainedTopics}", Text(n)), retain: true);
        LastingPublisher[] publishers = [sender, lab, keeper];
        await exactlyOnce.SubscribeAsync();
        await atLeastOnce.SubscribeAsync();
        var receiving = Task.WhenAll(exactlyOnce.RunAsync(), atLeastOnce.RunAsync());
        var sending = Task.WhenAll(publishers.Select(publisher => publisher.RunAsync()));

        for (var kill = CrashForm.IsLong ? 50 : 3; kill > 0; kill--)
        {
            await MoreAsync(random.Next(100, 1_500));
            CrashForm.Say($"{string.Join("; ", publishers.AsEnumerable())}: host killed");
            await platform.KillAsync();
            await platform.StartAsync();
        }
        await MoreAsync(200);
        Array.ForEach(publishers, publisher => publisher.Stop());
        await sending;
        await Eventually.TrueAsync(() => Task.FromResult(Fault() is not null || (NumbersOf(exactlyOnce, Number).LastOrDefault() >= sender.Last && NumbersOf(atLeastOnce, ParseText).LastOrDefault() >= lab.Last)), "the last messages", TimeSpan.FromSeconds(60));
        await exactlyOnce.StopAsync();
        await atLeastOnce.StopAsync();
        await receiving;

        Assert.Null(Fault());
        Assert.Equal(Enumerable.Range(1, sender.Last), NumbersOf(exactlyOnce, Number));
        // Some may come twice; the first of each in order.
        Assert.Equal(Enumerable.Range(1, lab.Last), NumbersOf(atLeastOnce, ParseText).Distinct());
        await RetainedAsync(platform, keeper.Last);
        for (var n = 1; n <= sender.Last; n++)
            device.Acknowledge(device.Next());
        var verdict = await Oracle.SettledAsync(platform.ConnectionString, [device]);
        CrashForm.Say($"{verdict}");
        Assert.True(verdict.IsClean && verdict.Stored == sender.Last, $"{verdict} (seed {seed})");

        string? Fault() => exactlyOnce.Fault ?? atLeastOnce.Fault ?? publishers.Select(publisher => publisher.Fault).FirstOrDefault(fault => fault is not null);

        async Task MoreAsync(int count)
        {
            foreach (var publisher in publishers)
            {
                var goal = publisher.Acknowledged + count;
                await Eventually.TrueAsync(() => Task.FromResult(publisher.Acknowledged >= goal || Fault() is not null), $"{count} more of {publisher}", TimeSpan.FromSeconds(120));
            }
            Assert.Null(Fault());
        }
    }

    private static async Task RetainedAsync(Platform platform, int last)
    {
        await using var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
        Assert.Equal(0, (await peer.ConnectAsync("reader", user: "admin", password: Platform.AdminKey)).Code);
        await peer.SubscribeAsync("kept/+", 1);
        var kept = (await peer.CollectAsync()).ToDictionary(message => message.Topic, message => message.Text);
        Assert.Equal(Enumerable.Range(last - RetainedTopics + 1, RetainedTopics).ToDictionary(n => $"kept/{n % RetainedTopics}", Text), kept);
    }

    private static IEnumerable<int> NumbersOf(LastingSubscriber subscriber, Func<string, int> numberOf) => subscriber.Texts.Select(numberOf);

    private static int Number(string reading)
    {
        using var document = JsonDocument.Parse(reading);
        return document.RootElement.GetProperty("payload").GetProperty("n").GetInt32();
    }

    private static int ParseText(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
