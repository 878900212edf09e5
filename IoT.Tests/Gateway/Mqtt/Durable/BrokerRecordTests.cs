using System.Buffers;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Tests.Gateway.IngestLog;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Durable;

public sealed class BrokerRecordTests(ITestOutputHelper output)
{
    [Fact]
    public void Any_changes_are_read_back_as_they_were_written()
    {
        var changes = new RandomChanges(new Random(LogTesting.Seed(output)));
        for (var run = 0; run < 2_000; run++)
        {
            var some = changes.Some();
            var record = Written(some);
            Assert.True(BrokerRecord.Is(record));
            Assert.Equal(RandomChanges.Text(some), RandomChanges.Text(BrokerRecord.Read(record)));
        }
    }

    /// <summary>Logs that hold this form may be read years later: a change to it needs a new version.</summary>
    [Fact]
    public void The_form_of_version_2_stays_and_that_of_version_1_is_read()
    {
        var time = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        var message = new BrokerMessage("a/b", new byte[] { 1, 2 }, 2, true, time, new MessageProperties(1, "t", "r", new byte[] { 9 }, [new("k", "v")]));
        BrokerChange[] changes =
        [
            new SessionOpened(1, "s", "c", uint.MaxValue, new BrokerWill(message, 300, "p")), new SessionClosed(1, time, 60, null, [4, 128]), new SessionEnded(1),
            new Subscribed(1, "a/#", 0x2E, 7), new Unsubscribed(1, "a/#"), new MessageTaken(128, message with { Properties = null, ExpiresAt = null }, true, [new Delivery(1, 1, true, [5], 65535)]),
            new DeliveryDone(1, 2), new DeliveryReceived(1, 2, 65535), new PacketIdTaken(1, 3), new PacketIdReleased(1, 3),
        ];
        Assert.Equal(Form("02", "0102048001", "FFFF03"), Convert.ToHexString(Written(changes)));
        changes[1] = new SessionClosed(1, time, 60, null);
        changes[5] = new MessageTaken(128, message with { Properties = null, ExpiresAt = null }, true, [new Delivery(1, 1, true, [5])]);
        Assert.Equal(RandomChanges.Text(changes), RandomChanges.Text(BrokerRecord.Read(Convert.FromHexString(Form("01", "", "")))));

        string Form(string version, string sent, string packetId) =>
            "04" + version + "0101017301" + "63FFFFFFFF0F01AC020170" + "1E03612F62020102" + Ticks(time) + "1F0101740172010901016B0176" + "0201" + Ticks(time) + "3C00" + sent + "0301" + "040103612F232E07" + "050103612F23"
            + "06800101" + "0603612F62020102" + "01010D" + packetId + "0105" + "070102" + "080102FFFF03" + "090103" + "0A0103";

        static string Ticks(DateTime time)
        {
            var bytes = new List<byte>();
            for (var rest = (ulong)time.Ticks; ; rest >>= 7)
            {
                bytes.Add((byte)(rest & 127 | (rest >= 128 ? 128u : 0)));
                if (rest < 128)
                    return Convert.ToHexString([.. bytes]);
            }
        }
    }

    [Fact]
    public void Bytes_that_are_no_changes_are_refused_and_never_crash_the_reader()
    {
        var random = new Random(LogTesting.Seed(output));
        var changes = new RandomChanges(random);
        var refused = 0;
        for (var run = 0; run < 5_000; run++)
        {
            var record = Written(changes.Some());
            if (run % 2 == 0)
                record = record[..random.Next(record.Length)];
            else
                record[random.Next(2, record.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                BrokerRecord.Read(record);
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }
        Assert.True(refused > 1_000, $"{refused} refused: it tests nothing");
    }

    [Fact]
    public void A_form_of_a_later_version_is_refused_by_name()
    {
        var record = Written([new SessionEnded(1)]);
        record[1] = 3;
        Assert.Contains("form 3", Assert.Throws<InvalidDataException>(() => BrokerRecord.Read(record)).Message, StringComparison.Ordinal);
    }

    private static byte[] Written(IReadOnlyList<BrokerChange> changes)
    {
        var target = new ArrayBufferWriter<byte>();
        BrokerRecord.Write(changes, target);
        return target.WrittenSpan.ToArray();
    }
}
