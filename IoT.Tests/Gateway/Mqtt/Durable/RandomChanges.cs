using System.Text;
using System.Text.Json;
using IoT.Modules.Gateway.Mqtt.Durable;

namespace IoT.Tests.Gateway.Mqtt.Durable;

/// <summary>Changes as a broker might make them, of a few sessions, topics and packet ids, so that they meet; and a text by which to compare.</summary>
internal sealed class RandomChanges(Random random)
{
    private static readonly DateTime Start = new(2026, 11, 25, 6, 0, 0, DateTimeKind.Utc);

    private long _session;
    private long _message;

    public static string Text(object value) => JsonSerializer.Serialize(value);

    public static string Text(IEnumerable<BrokerChange> changes) => string.Join('\n', changes.Select(change => $"{change.GetType().Name} {Text((object)change)}"));

    public IReadOnlyList<BrokerChange> Some() => [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => Next())];

    public BrokerChange Next() => random.Next(15) switch
    {
        0 or 1 => new SessionOpened(random.Next(2) == 0 && _session > 0 ? Session() : ++_session, "device-" + random.Next(3), "client-" + random.Next(4), Expiry(), Will()),
        2 => new SessionClosed(Session(), Time(), Expiry(), Will(), random.Next(3) == 0 ? null : [.. Enumerable.Range(0, random.Next(6)).Select(_ => random.NextInt64(1, _message + 2))]),
        3 => new SessionEnded(Session()),
        4 or 5 => new Subscribed(Session(), "a/" + random.Next(5), (byte)random.Next(64), (uint)random.Next(3)),
        6 => new Unsubscribed(Session(), "a/" + random.Next(5)),
        7 or 8 or 9 => new MessageTaken(++_message, Message(), random.Next(3) == 0, [.. Sessions().Select(Delivery)]),
        10 or 11 => new DeliveryDone(Session(), random.NextInt64(1, _message + 2)),
        12 => new DeliveryReceived(Session(), random.NextInt64(1, _message + 2), PacketId()),
        13 => new PacketIdTaken(Session(), PacketId()),
        _ => new PacketIdReleased(Session(), PacketId()),
    };

    public BrokerMessage Message() => new(
        "topic/" + random.Next(4), Bytes(random.Next(4) == 0 ? 0 : random.Next(200)), (byte)random.Next(3), random.Next(2) == 0,
        random.Next(2) == 0 ? Time().AddYears(100) : null, random.Next(3) == 0 ? Properties() : null);

    private long Session() => random.NextInt64(1, _session + 2);

    private IEnumerable<long> Sessions() => Enumerable.Range(0, random.Next(4)).Select(_ => Session()).Distinct();

    private Delivery Delivery(long session) =>
        new(session, (byte)random.Next(1, 3), random.Next(2) == 0, random.Next(2) == 0 ? null : [.. Enumerable.Range(0, random.Next(3)).Select(_ => (uint)random.NextInt64(1, 268_435_456))], random.Next(4) == 0 ? (ushort)0 : PacketId());

    private ushort PacketId() => (ushort)(random.Next(4) == 0 ? ushort.MaxValue : random.Next(1, 6));

    private uint Expiry() => random.Next(3) switch { 0 => uint.MaxValue, 1 => 0xFFFF_FFFE, _ => (uint)int.MaxValue };

    private DateTime Time() => Start.AddTicks(random.NextInt64(TimeSpan.TicksPerDay * 365));

    private BrokerWill? Will() => random.Next(3) == 0 ? new BrokerWill(Message(), (uint)random.Next(), "scope " + random.Next(9)) : null;

    private byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private string Word() => random.Next(4) switch { 0 => "", 1 => "größer €😀", 2 => new string('x', random.Next(300)), _ => Encoding.ASCII.GetString([(byte)random.Next(32, 127)]) };

    private MessageProperties Properties() => new(
        random.Next(2) == 0 ? null : (byte)random.Next(2), random.Next(2) == 0 ? null : Word(), random.Next(2) == 0 ? null : Word(), random.Next(2) == 0 ? null : Bytes(random.Next(20)),
        random.Next(2) == 0 ? null : [.. Enumerable.Range(0, random.Next(4)).Select(_ => new KeyValuePair<string, string>(Word(), Word()))]);
}
