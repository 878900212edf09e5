using System.Buffers;
using IoT.Modules.Gateway.Mqtt.Connections;
using Xunit;

namespace IoT.Tests.Gateway.Limits;

public sealed class ReadAheadTests
{
    private static readonly byte[] Ping = [0xC0, 0];

    // A publish whose payload looks like PINGREQs, long enough for two bytes of length.
    private static readonly byte[] Publish = [0x32, 0x96, 0x01, .. Enumerable.Repeat(Ping, 75).SelectMany(p => p)];

    [Fact]
    public void Finds_pings_among_packets_however_they_arrive_and_knows_them_again()
    {
        byte[] stream = [.. Publish, .. Ping, .. Publish, .. Ping, .. Ping, .. Publish];
        for (var first = 0; first <= stream.Length; first++)
        {
            using var ahead = new ReadAhead();
            ahead.Add(new ReadOnlySequence<byte>(stream, 0, first));
            var found = ahead.FindPings();
            ahead.Add(new ReadOnlySequence<byte>(stream, first, stream.Length - first));
            Assert.Equal(3, found + ahead.FindPings());
            Assert.Equal(0, ahead.FindPings());
            Assert.Equal(stream, ahead.Received.ToArray());

            Assert.False(ahead.WasAnswered(isPing: false, Publish.Length));
            Assert.True(ahead.WasAnswered(isPing: true, Ping.Length));
            Assert.False(ahead.WasAnswered(isPing: false, Publish.Length));

            // Looks on from where it stood, though packets have gone and more have come.
            ahead.Add(new ReadOnlySequence<byte>(Ping));
            Assert.Equal(1, ahead.FindPings());
            byte[] rest = [.. Ping, .. Ping, .. Publish, .. Ping];
            Assert.Equal(rest, ahead.Received.ToArray());
            Assert.True(ahead.WasAnswered(isPing: true, Ping.Length));
            Assert.True(ahead.WasAnswered(isPing: true, Ping.Length));
            Assert.False(ahead.WasAnswered(isPing: false, Publish.Length));
            Assert.True(ahead.WasAnswered(isPing: true, Ping.Length));
            Assert.Equal(0, ahead.Length);

            // One that comes in its turn is not answered yet.
            ahead.Add(new ReadOnlySequence<byte>(Ping));
            Assert.False(ahead.WasAnswered(isPing: true, Ping.Length));
        }
    }

    [Fact]
    public void Takes_no_harm_from_what_is_no_packet()
    {
        var random = new Random(7);
        for (var n = 0; n < 10_000; n++)
        {
            using var ahead = new ReadAhead();
            var bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            ahead.Add(new ReadOnlySequence<byte>(bytes));
            Assert.InRange(ahead.FindPings(), 0, bytes.Length / 2);
        }
    }
}
