using System.Buffers;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// Changes of the broker's state as they stand in the ingest log, all of one append in one record: kind (1 byte, 4), version of the form
/// (1 byte), then the changes to the record's end, each a tag and its fields in the order of its type. Numbers are varints (7 bits a byte,
/// lowest first), times are ticks UTC, texts and bytes are preceded by their length; what may be missing has a bit in the flags before it.
/// A new form gets a new version; records of old ones are read as long as a log may hold them. Version 1 knew neither what had been sent to a
/// session when it was closed nor the packet ids of deliveries.
/// </summary>
internal static class BrokerRecord
{
    private const byte Kind = 4;
    private const byte Version = 2;

    private enum Tag : byte
    {
        SessionOpened = 1,
        SessionClosed = 2,
        SessionEnded = 3,
        Subscribed = 4,
        Unsubscribed = 5,
        MessageTaken = 6,
        DeliveryDone = 7,
        DeliveryReceived = 8,
        PacketIdTaken = 9,
        PacketIdReleased = 10,
    }

    public static bool Is(ReadOnlySpan<byte> record) => record.Length > 0 && record[0] == Kind;

    public static void Write(IReadOnlyList<BrokerChange> changes, IBufferWriter<byte> target)
    {
        var writer = new FieldWriter(target);
        writer.Byte(Kind);
        writer.Byte(Version);
        for (var i = 0; i < changes.Count; i++)
            Write(changes[i], writer);
    }

    /// <summary>The changes of a record; nothing of it is kept.</summary>
    /// <exception cref="InvalidDataException">Of a version that this program does not know, or not what <see cref="Write(IReadOnlyList{BrokerChange}, IBufferWriter{byte})"/> writes.</exception>
    public static List<BrokerChange> Read(ReadOnlySpan<byte> record)
    {
        if (!Is(record) || record.Length < 2)
            throw new InvalidDataException("The record holds no change of the broker's state.");
        if (record[1] is 0 or > Version)
            throw new InvalidDataException($"The ingest log holds a change of the broker's state in form {record[1]}, which this version does not know: it was written by a newer one.");
        var changes = new List<BrokerChange>(1);
        var reader = new FieldReader(record[2..]);
        while (!reader.IsAtEnd)
            changes.Add(Read(ref reader, record[1]));
        return changes;
    }

    private static void Write(BrokerChange change, FieldWriter to)
    {
        switch (change)
        {
            case SessionOpened opened:
                to.Byte((byte)Tag.SessionOpened);
                to.Number(opened.SessionId);
                to.Text(opened.Scope);
                to.Text(opened.ClientId);
                to.Number(opened.ExpirySeconds);
                MessageFields.WriteWill(opened.Will, to);
                break;
            case SessionClosed closed:
                to.Byte((byte)Tag.SessionClosed);
                to.Number(closed.SessionId);
                to.Time(closed.At);
                to.Number(closed.ExpirySeconds);
                MessageFields.WriteWill(closed.Will, to);
                WriteSent(closed.Sent, to);
                break;
            case SessionEnded ended:
                to.Byte((byte)Tag.SessionEnded);
                to.Number(ended.SessionId);
                break;
            case Subscribed subscribed:
                to.Byte((byte)Tag.Subscribed);
                to.Number(subscribed.SessionId);
                to.Text(subscribed.Filter);
                to.Byte(subscribed.Options);
                to.Number(subscribed.SubscriptionId);
                break;
            case Unsubscribed unsubscribed:
                to.Byte((byte)Tag.Unsubscribed);
                to.Number(unsubscribed.SessionId);
                to.Text(unsubscribed.Filter);
                break;
            case MessageTaken taken:
                WriteTaken(taken, to);
                break;
            case DeliveryDone done:
                to.Byte((byte)Tag.DeliveryDone);
                to.Number(done.SessionId);
                to.Number(done.MessageId);
                break;
            case DeliveryReceived received:
                to.Byte((byte)Tag.DeliveryReceived);
                to.Number(received.SessionId);
                to.Number(received.MessageId);
                to.Number(received.PacketId);
                break;
            case PacketIdTaken taken:
                to.Byte((byte)Tag.PacketIdTaken);
                to.Number(taken.SessionId);
                to.Number(taken.PacketId);
                break;
            case PacketIdReleased released:
                to.Byte((byte)Tag.PacketIdReleased);
                to.Number(released.SessionId);
                to.Number(released.PacketId);
                break;
            default:
                throw new ArgumentException($"{change.GetType().Name} has no form in the ingest log.", nameof(change));
        }
    }

    private static void WriteTaken(MessageTaken taken, FieldWriter to)
    {
        to.Byte((byte)Tag.MessageTaken);
        to.Number(taken.MessageId);
        to.Byte(taken.SetsRetained ? (byte)1 : (byte)0);
        MessageFields.Write(taken.Message, to);
        to.Number(taken.Deliveries.Count);
        for (var i = 0; i < taken.Deliveries.Count; i++)
        {
            var delivery = taken.Deliveries[i];
            to.Number(delivery.SessionId);
            to.Byte((byte)(delivery.Qos | (delivery.IsRetain ? 4 : 0) | (delivery.SubscriptionIds is null ? 0 : 8)));
            to.Number(delivery.PacketId);
            if (delivery.SubscriptionIds is { } ids)
                MessageFields.WriteIds(ids, to);
        }
    }

    private static void WriteSent(IReadOnlyList<long>? sent, FieldWriter to)
    {
        to.Byte(sent is null ? (byte)0 : (byte)1);
        if (sent is null)
            return;
        to.Number(sent.Count);
        for (var i = 0; i < sent.Count; i++)
            to.Number(sent[i]);
    }

    private static long[]? ReadSent(ref FieldReader from)
    {
        if (from.Byte() == 0)
            return null;
        var sent = new long[from.Count()];
        for (var i = 0; i < sent.Length; i++)
            sent[i] = from.Number();
        return sent;
    }

    private static BrokerChange Read(ref FieldReader from, byte version)
    {
        var tag = from.Byte();
        return (Tag)tag switch
        {
            Tag.SessionOpened => new SessionOpened(from.Number(), from.Text(), from.Text(), (uint)from.Number(), MessageFields.ReadWill(ref from)),
            Tag.SessionClosed => new SessionClosed(from.Number(), from.Time(), (uint)from.Number(), MessageFields.ReadWill(ref from), version < 2 ? null : ReadSent(ref from)),
            Tag.SessionEnded => new SessionEnded(from.Number()),
            Tag.Subscribed => new Subscribed(from.Number(), from.Text(), from.Byte(), (uint)from.Number()),
            Tag.Unsubscribed => new Unsubscribed(from.Number(), from.Text()),
            Tag.MessageTaken => ReadTaken(ref from, version),
            Tag.DeliveryDone => new DeliveryDone(from.Number(), from.Number()),
            Tag.DeliveryReceived => new DeliveryReceived(from.Number(), from.Number(), (ushort)from.Number()),
            Tag.PacketIdTaken => new PacketIdTaken(from.Number(), (ushort)from.Number()),
            Tag.PacketIdReleased => new PacketIdReleased(from.Number(), (ushort)from.Number()),
            _ => throw new InvalidDataException($"A change of the broker's state has tag {tag}, which this version does not know."),
        };
    }

    private static MessageTaken ReadTaken(ref FieldReader from, byte version)
    {
        var id = from.Number();
        var setsRetained = from.Byte() == 1;
        var message = MessageFields.Read(ref from);
        var deliveries = new Delivery[from.Count()];
        for (var i = 0; i < deliveries.Length; i++)
        {
            var session = from.Number();
            var flags = from.Byte();
            var packetId = version < 2 ? (ushort)0 : (ushort)from.Number();
            deliveries[i] = new Delivery(session, (byte)(flags & 3), (flags & 4) != 0, (flags & 8) != 0 ? MessageFields.ReadIds(ref from) : null, packetId);
        }
        return new MessageTaken(id, message, setsRetained, deliveries);
    }
}
