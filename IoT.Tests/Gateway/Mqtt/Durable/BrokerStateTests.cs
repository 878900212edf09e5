using System.Text;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Tests.Gateway.IngestLog;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Durable;

public sealed class BrokerStateTests(ITestOutputHelper output)
{
    /// <summary>The promise of the state: what was committed to the log is there after any crash, wherever the file stood, and nothing else.</summary>
    [Fact]
    public async Task After_any_crash_the_state_is_what_the_committed_changes_say()
    {
        var seed = LogTesting.Seed(output);
        var lost = 0;
        for (var run = 0; run < 40; run++)
        {
            var random = new Random(unchecked(seed + run * 7919));
            var changes = new RandomChanges(random);
            await using var folder = new StateFolder();
            var model = new StateModel();
            Assert.Equal(model.Text(), StateModel.Text(folder.Open()));
            for (var life = 0; life < 5; life++)
            {
                for (var step = random.Next(30); step > 0; step--)
                {
                    if (random.Next(6) == 0)
                        folder.CatchUp();
                    if (random.Next(12) == 0 && folder.State.Checkpoint())
                        folder.Log.TrimTo(folder.State.SafePosition + 1);
                    var some = changes.Some();
                    await folder.AppendAsync(some);
                    model.Apply(some);
                    if (random.Next(3) == 0)
                        await folder.Log.AppendAsync(LogTesting.Text(new string('r', random.Next(2_000)))); // A reading, to the state.
                }
                // One more that may or may not get through.
                var last = changes.Some();
                folder.Append(last);
                await folder.CrashAsync(random);
                var found = StateModel.Text(folder.Open());
                Assert.Null(folder.State.Loss);
                if (found == model.Text())
                {
                    lost++;
                    continue;
                }
                model.Apply(last);
                Assert.True(found == model.Text(), $"seed {seed}, run {run}, life {life}:\n{found}\nwhere this was due:\n{model.Text()}");
            }
            Assert.Equal(0, folder.Number("SELECT count(*) FROM message WHERE refs <> (SELECT count(*) FROM delivery WHERE message_id = message.id) + (SELECT count(*) FROM retained WHERE message_id = message.id) OR refs <= 0"));
        }
        Assert.InRange(lost, 5, 195);
    }

    [Fact]
    public async Task What_subscribers_took_meanwhile_is_never_written()
    {
        await using var folder = new StateFolder();
        folder.Open();
        await folder.AppendAsync(new SessionOpened(1, "s", "c", 60, null));
        for (var i = 1; i <= 50; i++)
            await folder.AppendAsync(new MessageTaken(i, Message("t"), false, [new Delivery(1, 2, false, null)]), new DeliveryReceived(1, i, 1), new PacketIdTaken(1, 5), new DeliveryDone(1, i), new PacketIdReleased(1, 5));
        var net = NetChanges.Of(folder.ReadChanges());
        // The session, fifty ids that are not given out again, and the release of the one packet id.
        Assert.Equal(52, net.Count);
        Assert.All(net.OfType<MessageTaken>(), taken => Assert.Empty(taken.Deliveries));
        folder.CatchUp();
        Assert.Equal(0, folder.Number("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM delivery) + (SELECT count(*) FROM inbound)"));
        await folder.CloseAsync();
        Assert.Equal(51, folder.Open().NextMessageId);
    }

    [Fact]
    public async Task Expired_sessions_and_messages_are_gone_at_a_start_but_a_will_is_still_to_be_published()
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await using var folder = new StateFolder();
        folder.Open();
        await folder.AppendAsync(
            new SessionOpened(1, "s", "expired", 60, null), new SessionClosed(1, now.AddSeconds(-61), 60, null),
            new SessionOpened(2, "s", "leaves a will", 60, null), new SessionClosed(2, now.AddSeconds(-61), 60, new BrokerWill(Message("w"), 60, "s")),
            new SessionOpened(3, "s", "stays", 60, null), new SessionClosed(3, now.AddSeconds(-10), 60, null),
            new SessionOpened(4, "s", "for ever", uint.MaxValue, null), new SessionClosed(4, now.AddYears(-1), uint.MaxValue, null),
            new SessionOpened(5, "s", "was open", 0, null));
        var expired = Message("expired") with { ExpiresAt = now.AddSeconds(-1) };
        await folder.AppendAsync(
            new MessageTaken(1, expired, true, [new Delivery(1, 1, false, null), new Delivery(3, 1, false, null)]),
            new MessageTaken(2, expired, false, [new Delivery(3, 2, false, null), new Delivery(4, 2, false, null)]), new DeliveryReceived(4, 2, 9),
            new MessageTaken(3, Message("later") with { ExpiresAt = now.AddHours(1) }, true, [new Delivery(1, 1, false, null), new Delivery(3, 1, false, null)]));
        await folder.CloseAsync();

        var found = folder.Open();
        Assert.Equal(["leaves a will", "stays", "for ever", "was open"], found.Sessions.Select(s => s.ClientId));
        Assert.Equal([3L], found.Sessions[1].Queue.Select(d => d.MessageId));
        Assert.Equal([(2L, (ushort?)9)], found.Sessions[2].Queue.Select(d => (d.MessageId, d.ReceivedPacketId)));
        Assert.Null(found.Sessions[3].ClosedAt);
        Assert.Equal("later", Assert.Single(found.Retained).Topic);
        Assert.Equal(2, folder.Number("SELECT count(*) FROM message"));
    }

    [Fact]
    public async Task A_body_shared_by_many_sessions_is_there_once_until_the_last_has_it()
    {
        await using var folder = new StateFolder();
        folder.Open();
        await folder.AppendAsync([.. Enumerable.Range(1, 100).Select(i => new SessionOpened(i, "s", $"c{i}", 60, null))]);
        await folder.AppendAsync(new MessageTaken(7, Message("t"), true, [.. Enumerable.Range(1, 100).Select(i => new Delivery(i, 1, false, null))]));
        folder.CatchUp();
        Assert.Equal(101, folder.Number("SELECT sum(refs) FROM message"));
        await folder.AppendAsync([.. Enumerable.Range(1, 99).Select(i => i % 2 == 0 ? (BrokerChange)new DeliveryDone(i, 7) : new SessionEnded(i))]);
        folder.CatchUp();
        Assert.Equal(2, folder.Number("SELECT sum(refs) FROM message"));
        await folder.AppendAsync(new MessageTaken(8, Message("t") with { Payload = default }, true, []), new DeliveryDone(100, 7));
        folder.CatchUp();
        Assert.Equal(0, folder.Number("SELECT count(*) FROM message"));
    }

    [Fact]
    public async Task A_copy_is_made_while_it_is_written_and_opens_as_a_state()
    {
        await using var folder = new StateFolder();
        folder.Open();
        await folder.AppendAsync(new SessionOpened(1, "s", "c", 60, null), new MessageTaken(1, Message("t"), true, [new Delivery(1, 1, false, null)]));
        folder.CatchUp();
        var copy = Path.Combine(folder.Directory, "copy.db");
        for (var time = 0; time < 2; time++)
        {
            await folder.State.CopyAsync(copy, LogTesting.Cancel);
            await folder.AppendAsync(new SessionOpened(2, "s", "later", 60, null));
            folder.CatchUp();
        }
        using var state = StateDatabase.Open(copy, folder.MaxBytes);
        Assert.Equal(folder.Log.LogId, state.LogId);
        Assert.Equal(["c", "later"], state.Load(out _).Sessions.Select(s => s.ClientId));
        Assert.False(File.Exists(copy + ".tmp"));
        Assert.True(folder.State.Checkpoint());
    }

    [Fact]
    public async Task A_file_of_version_1_is_taken_over_and_what_it_does_not_know_is_taken_for_sent()
    {
        await using var folder = new StateFolder();
        folder.Open();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await folder.AppendAsync(
            new SessionOpened(1, "s", "away", uint.MaxValue, null), new SessionClosed(1, now, uint.MaxValue, null, []),
            new MessageTaken(1, Message("before"), false, [new Delivery(1, 1, false, null, 7)]));
        folder.CatchUp();
        await folder.CloseAsync();
        folder.Run("ALTER TABLE delivery DROP COLUMN packet_id; ALTER TABLE delivery DROP COLUMN may_be_sent; PRAGMA user_version = 1");

        folder.Open();
        Assert.Null(folder.State.Loss);
        await folder.AppendAsync(new MessageTaken(2, Message("after"), false, [new Delivery(1, 1, false, null, 8)]));
        await folder.CloseAsync();
        Assert.Equal([("before", 0, true), ("after", 8, false)], Assert.Single(folder.Open().Sessions).Queue.Select(d => (d.Message.Topic, (int)d.PacketId, d.MayBeSent)));
        Assert.Equal(2, folder.Number("PRAGMA user_version"));
    }

    internal static BrokerMessage Message(string topic) => new(topic, Encoding.UTF8.GetBytes("payload of " + topic), 1, false);
}
