using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Sessions;

/// <summary>What was acknowledged outlives the host, however it ends: on a platform of its own, which is killed and started again.</summary>
public sealed class RestartTests
{
    [Fact]
    public async Task Sessions_what_waits_for_them_retained_messages_and_packet_ids_survive_kill_9_and_a_clean_stop()
    {
        await using var platform = new Platform(("Security__AnonymousTopics", "true"));
        await platform.StartAsync();
        byte[] lasting = Prop.SessionExpiry(3600);
        var subscriber = await OpenAsync(platform);
        Assert.Equal(0, (await subscriber.ConnectAsync("subscriber", properties: lasting)).Code);
        await subscriber.SubscribeAsync("t/+", 2, Prop.SubscriptionId(7));
        await subscriber.SubscribeAsync("$share/g/s", 1);
        var publisher = await OpenAsync(platform);
        await publisher.ConnectAsync("publisher", properties: lasting);

        // One is under way, one is received and not released, the others come while the subscriber is away.
        await publisher.PublishAsync("t/received", "received", 2);
        await publisher.PublishAsync("t/underway", "underway", 2);
        var received = await subscriber.ReceiveOnlyAsync();
        var underWay = await subscriber.ReceiveOnlyAsync();
        await subscriber.SendAsync(MqttPeer.Ack(0x50, received.Id));
        await subscriber.WaitAsync(Kind.PubRel);
        await subscriber.DisconnectAsync();
        // Of three, one goes out, and the others wait behind it.
        var slow = await OpenAsync(platform);
        await slow.ConnectAsync("slow", properties: [.. lasting, .. Prop.ReceiveMaximum(1)]);
        await slow.SubscribeAsync("slow", 1);
        for (var n = 0; n < 3; n++)
            await publisher.PublishAsync("slow", $"{n}", 1);
        var first = await slow.ReceiveOnlyAsync();
        await slow.DisconnectAsync();
        for (var n = 0; n < 20; n++)
            Assert.True(await publisher.PublishAsync("t/a", $"{n}", 1 + n % 2, properties: Prop.User("n", $"{n}")) < 0x80);
        await publisher.PublishAsync("s", "shared", 1);
        await publisher.PublishAsync("kept", "kept", 1, retain: true);
        // QoS 2, taken and not released.
        await publisher.SendAsync(publisher.PublishPacket("t/once", "once", 2, id: 999));
        await publisher.WaitAsync(Kind.PubRec);
        await platform.KillAsync();
        await platform.StartAsync();

        publisher = await OpenAsync(platform);
        Assert.True((await publisher.ConnectAsync("publisher", clean: false, properties: lasting)).IsSessionPresent, "The publisher's session is gone.");
        await publisher.SendAsync(publisher.PublishPacket("t/once", "once", 2, dup: true, id: 999));
        await publisher.WaitAsync(Kind.PubRec);
        await publisher.SendAsync(MqttPeer.Ack(0x62, 999));
        Assert.Equal(0, (await publisher.WaitAsync(Kind.PubComp)).Code);
        await publisher.DisconnectAsync();

        subscriber = await OpenAsync(platform);
        Assert.True((await subscriber.ConnectAsync("subscriber", clean: false, properties: lasting)).IsSessionPresent, "The subscriber's session is gone.");
        Assert.Equal(received.Id, (await subscriber.NextAsync(Kind.PubRel)).Id);
        await subscriber.SendAsync(MqttPeer.Ack(0x70, received.Id));
        var again = await subscriber.ReceiveAsync();
        Assert.Equal((underWay.Id, "underway", true), (again.Id, again.Text, again.IsDup));
        Assert.Equal([7L], again.Properties.Numbers(Prop.SubscriptionIdId));
        var texts = new List<string>();
        for (var n = 0; n < 10; n++)
        {
            var waited = await subscriber.ReceiveAsync();
            texts.Add(waited.Text);
            Assert.False(waited.IsDup, $"\"{waited.Text}\" came while the client was away, and goes out as a duplicate.");
            Assert.Equal(underWay.Id + 1 + n, waited.Id);
        }
        await subscriber.DisposeAsync();

        slow = await OpenAsync(platform);
        await slow.ConnectAsync("slow", clean: false, properties: lasting);
        List<Message> behind = [await slow.ReceiveAsync(), await slow.ReceiveAsync(), await slow.ReceiveAsync()];
        Assert.Equal([(first.Id, "0", true), (first.Id + 1, "1", false), (first.Id + 2, "2", false)], behind.Select(message => ((int)message.Id, message.Text, message.IsDup)));
        await slow.DisconnectAsync();

        // A clean stop is no other matter.
        await platform.StopAsync();
        await platform.StartAsync();
        subscriber = await OpenAsync(platform);
        Assert.True((await subscriber.ConnectAsync("subscriber", clean: false, properties: lasting)).IsSessionPresent, "The subscriber's session is gone after a clean stop.");
        for (var n = 0; n < 12; n++)
        {
            // All of it had gone out.
            var repeated = await subscriber.ReceiveAsync();
            texts.Add(repeated.Text);
            Assert.True(repeated.IsDup, $"\"{repeated.Text}\" goes out again, and not as a duplicate.");
        }
        Assert.Equal([.. Enumerable.Range(0, 20).Select(n => $"{n}"), "shared", "once"], texts);
        await subscriber.SubscribeAsync("kept", 1);
        Assert.Equal("kept", (await subscriber.ReceiveAsync()).Text);
        await subscriber.DisposeAsync();
    }

    [Fact]
    public async Task Wills_and_expiries_count_on_across_a_kill()
    {
        await using var platform = new Platform(("Security__AnonymousTopics", "true"));
        await platform.StartAsync();
        byte[] lasting = Prop.SessionExpiry(3600);
        var watcher = await OpenAsync(platform);
        await watcher.ConnectAsync("watcher", properties: lasting);
        await watcher.SubscribeAsync("will/#", 1);
        await watcher.SubscribeAsync("expires", 1);
        await watcher.DisconnectAsync();

        // Of those who are connected when the host is killed: at once, after a delay, and withdrawn by coming back.
        await using var atOnce = await OpenAsync(platform);
        await atOnce.ConnectAsync("at once", properties: lasting, will: new Will("will/at-once", "gone", 1, Properties: Prop.User("a", "b")));
        await using var delayed = await OpenAsync(platform);
        await delayed.ConnectAsync("delayed", properties: lasting, will: new Will("will/delayed", Qos: 1, Properties: Prop.WillDelay(1)));
        await using var back = await OpenAsync(platform);
        await back.ConnectAsync("back", properties: lasting, will: new Will("will/back", Qos: 1, Properties: Prop.WillDelay(300)));
        // Of those who have gone before: the delay goes on, or the session's end cuts it short.
        await using (var away = await OpenAsync(platform))
            await away.ConnectAsync("away", properties: lasting, will: new Will("will/away", Qos: 1, Properties: Prop.WillDelay(2)));
        await using (var over = await OpenAsync(platform))
            await over.ConnectAsync("over", properties: Prop.SessionExpiry(2), will: new Will("will/over", Qos: 1, Properties: Prop.WillDelay(300)));
        var publisher = await OpenAsync(platform);
        await publisher.ConnectAsync("publisher");
        var before = TimeProvider.System.GetTimestamp();
        await publisher.PublishAsync("expires", "short", 1, properties: Prop.MessageExpiry(2));
        await publisher.PublishAsync("expires", "long", 1, properties: Prop.MessageExpiry(300));
        await publisher.PublishAsync("kept", "short", 1, retain: true, properties: Prop.MessageExpiry(2));
        await publisher.PublishAsync("kept/long", "long", 1, retain: true, properties: Prop.MessageExpiry(300));
        var after = TimeProvider.System.GetTimestamp();
        await platform.KillAsync();
        await platform.StartAsync();

        await using (var again = await OpenAsync(platform))
        {
            Assert.True((await again.ConnectAsync("back", clean: false, properties: lasting)).IsSessionPresent);
            // The protocol counts in seconds.
            var rest = TimeSpan.FromSeconds(3.5) - TimeProvider.System.GetElapsedTime(after);
            await Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, TimeProvider.System, TestContext.Current.CancellationToken);
            await again.DisconnectAsync();
        }
        watcher = await OpenAsync(platform);
        // No message is sent before this, and each came in before that.
        var atLeast = TimeProvider.System.GetElapsedTime(after).TotalSeconds;
        Assert.True((await watcher.ConnectAsync("watcher", clean: false, properties: lasting)).IsSessionPresent);
        var messages = new List<Message>();
        while (messages.Count < 5)
            messages.Add(await watcher.ReceiveAsync());
        Assert.Equal(["expires long", "will/at-once gone", "will/away gone", "will/delayed gone", "will/over gone"], messages.Select(message => $"{message.Topic} {message.Text}").Order());
        AssertCounts(messages.Single(message => message.Text == "long"));
        Assert.Equal(["a=b"], messages.Single(message => message.Topic == "will/at-once").Properties.User);
        await watcher.SubscribeAsync("kept/#");
        var kept = Assert.Single(await watcher.CollectAsync());
        Assert.Equal("long", kept.Text);
        AssertCounts(kept);
        await using var late = await OpenAsync(platform);
        Assert.False((await late.ConnectAsync("over", clean: false)).IsSessionPresent);
        await watcher.DisposeAsync();
        await publisher.DisposeAsync();

        // In whole seconds, and a second more for the one in which it was written down.
        void AssertCounts(Message message) => Assert.InRange(
            message.Properties.Number(Prop.MessageExpiryId)!.Value, 300 - TimeProvider.System.GetElapsedTime(before).TotalSeconds - 1, 300 - atLeast + 2);
    }

    private static Task<MqttPeer> OpenAsync(Platform platform) => MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5);
}
