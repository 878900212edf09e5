using System.Globalization;
using System.Text;
using IoT.Modules.Gateway.Mqtt.Sessions;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Sessions;

public sealed class OutboundQueueTests : IDisposable
{
    private readonly BrokerParts _parts = new();

    public void Dispose() => _parts.Dispose();

    [Fact]
    public void Over_the_bound_the_oldest_with_QoS_0_goes_first()
    {
        var queue = new OutboundQueue(maxMessages: 4, maxBytes: long.MaxValue);
        AddAll(queue, (1, 1), (2, 0), (3, 1), (4, 0));
        queue.Add(Outgoing(5, 1), out var dropped, out var cut);
        Assert.Equal((1, null), (dropped, cut));
        queue.Add(Outgoing(6, 0), out dropped, out cut);
        Assert.Equal((1, null), (dropped, cut));
        Assert.Equal([1, 3, 5, 6], Rest(queue));
    }

    [Fact]
    public void Without_QoS_0_the_older_half_is_cut_and_QoS_0_does_not_get_in()
    {
        var queue = new OutboundQueue(maxMessages: 4, maxBytes: long.MaxValue);
        AddAll(queue, (1, 1), (2, 2), (3, 1), (4, 1));
        queue.Add(Outgoing(5, 0), out var dropped, out var cut);
        Assert.Equal((1, null), (dropped, cut));
        queue.Add(Outgoing(6, 1), out dropped, out cut);
        Assert.Equal(0, dropped);
        Assert.Equal([1, 2], cut!.Select(NumberOf));
        Assert.Equal([3, 4, 6], Rest(queue));
    }

    [Fact]
    public void Bytes_are_bounded_too_and_a_single_one_always_gets_in()
    {
        var queue = new OutboundQueue(maxMessages: 1000, maxBytes: 4096);
        for (var n = 1; n <= 10; n++)
        {
            queue.Add(Outgoing(n, 1, 1000), out _, out _);
            Assert.InRange(queue.Bytes, 1, 4096);
        }
        queue.Add(Outgoing(11, 1, 10_000), out _, out var cut);
        Assert.NotEmpty(cut!);
        Assert.Equal([11], Rest(queue));
        Assert.Equal(0, queue.Bytes);
    }

    [Fact]
    public void QoS_0_can_be_taken_out_from_between_the_others()
    {
        var queue = new OutboundQueue(maxMessages: 10, maxBytes: long.MaxValue);
        AddAll(queue, (1, 1), (2, 0), (3, 1), (4, 0), (5, 0));
        Assert.True(queue.TryPeekQos0(out var first));
        Assert.Equal(2, NumberOf(first));
        queue.RemoveFirstQos0();
        Assert.Equal(2, queue.DropQos0());
        Assert.Equal([1, 3], Rest(queue));
    }

    private void AddAll(OutboundQueue queue, params (int Number, byte Qos)[] messages)
    {
        foreach (var (number, qos) in messages)
            queue.Add(Outgoing(number, qos), out _, out _);
    }

    private OutgoingMessage Outgoing(int number, byte qos, int padding = 0) =>
        new(_parts.NewMessage("t", number.ToString(CultureInfo.InvariantCulture) + new string(' ', padding), qos), qos, false, null, 0, null, null);

    private static int NumberOf(OutgoingMessage message) => int.Parse(Encoding.UTF8.GetString(message.Message.Payload.Span), NumberStyles.Any, CultureInfo.InvariantCulture);

    private static List<int> Rest(OutboundQueue queue)
    {
        var rest = new List<int>();
        for (; queue.TryPeek(out var first); queue.RemoveFirst())
            rest.Add(NumberOf(first));
        return rest;
    }
}
