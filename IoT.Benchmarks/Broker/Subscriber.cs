using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Broker;

/// <summary>One client, MQTT 3.1.1: subscribes, counts what it is sent, acknowledges it. May be told to read nothing.</summary>
internal sealed class Subscriber : IDisposable
{
    private const int BufferBytes = 16 * 1024;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private byte[] _buffer = [];
    private int _filled;

    /// <param name="receiveBufferBytes">Of the socket; null: as the system has it.</param>
    public Subscriber(int? receiveBufferBytes = null)
    {
        if (receiveBufferBytes is { } bytes)
            _socket.ReceiveBufferSize = bytes;
    }

    public async Task ConnectAsync(int port, string clientId)
    {
        await _socket.ConnectAsync(IPAddress.Loopback, port);
        await SendAsync(Samples.Connect(clientId, "admin", HostUnderTest.AdminKey));
        await ExpectAsync(MqttAnswers.Welcome);
    }

    public async Task SubscribeAsync(IReadOnlyList<string> filters, byte qos)
    {
        var body = new List<byte> { 0, 1 };
        foreach (var filter in filters)
            body.AddRange([(byte)(filter.Length >> 8), (byte)filter.Length, .. Encoding.ASCII.GetBytes(filter), qos]);
        await SendAsync(Packet(0x82, [.. body]));
        byte[] length = filters.Count + 2 < 128 ? [(byte)(filters.Count + 2)] : [(byte)(filters.Count + 2 & 127 | 128), (byte)(filters.Count + 2 >> 7)];
        await ExpectAsync([0x90, .. length, 0, 1, .. Enumerable.Repeat(qos, filters.Count)]);
    }

    /// <summary>Until it is disposed; says how many came each time.</summary>
    public async Task ReceiveAsync(Action<int> came)
    {
        _buffer = new byte[BufferBytes];
        var acks = new byte[BufferBytes];
        while (true)
        {
            int read;
            try
            {
                read = await _socket.ReceiveAsync(_buffer.AsMemory(_filled));
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                return;
            }
            if (read == 0)
                throw new InvalidOperationException("A subscriber was disconnected.");
            _filled += read;
            var (messages, ackBytes) = Take(acks);
            if (ackBytes > 0)
                await SendAsync(acks.AsMemory(0, ackBytes));
            if (messages > 0)
                came(messages);
        }
    }

    /// <summary>Whatever it is, without looking at answers.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await _socket.SendAsync(bytes)..];
    }

    public void Dispose() => _socket.Dispose();

    public static byte[] Publish(string topic, int payloadBytes, byte qos, ushort packetId)
    {
        var name = Encoding.ASCII.GetBytes(topic);
        return Packet(
            (byte)(0x30 | qos << 1),
            [(byte)(name.Length >> 8), (byte)name.Length, .. name, .. qos == 0 ? [] : new[] { (byte)(packetId >> 8), (byte)packetId }, .. Enumerable.Repeat((byte)'x', payloadBytes)]);
    }

    private static byte[] Packet(byte header, byte[] body) => body.Length < 128
        ? [header, (byte)body.Length, .. body]
        : body.Length < 16_384 ? [header, (byte)(body.Length & 127 | 128), (byte)(body.Length >> 7), .. body]
        : throw new ArgumentException("Longer than the load sends.");

    private (int Messages, int AckBytes) Take(byte[] acks)
    {
        var (start, messages, ackBytes) = (0, 0, 0);
        while (true)
        {
            var rest = _buffer.AsSpan(start, _filled - start);
            if (rest.Length < 2)
                break;
            var isLong = rest[1] >= 128;
            if (isLong && rest.Length < 3)
                break;
            var head = isLong ? 3 : 2;
            var length = isLong ? rest[1] & 127 | rest[2] << 7 : rest[1];
            if (rest.Length < head + length)
                break;
            if (rest[0] >> 4 == 3)
            {
                messages++;
                if ((rest[0] & 6) == 2)
                {
                    var id = head + 2 + BinaryPrimitives.ReadUInt16BigEndian(rest[head..]);
                    acks[ackBytes++] = 0x40;
                    acks[ackBytes++] = 2;
                    acks[ackBytes++] = rest[id];
                    acks[ackBytes++] = rest[id + 1];
                }
            }
            start += head + length;
        }
        _buffer.AsSpan(start, _filled - start).CopyTo(_buffer);
        _filled -= start;
        return (messages, ackBytes);
    }

    private async Task ExpectAsync(byte[] answer)
    {
        var received = new byte[answer.Length];
        var filled = 0;
        while (filled < answer.Length)
        {
            var read = await _socket.ReceiveAsync(received.AsMemory(filled));
            filled += read;
            if (read == 0 || !received.AsSpan(0, filled).SequenceEqual(answer.AsSpan(0, filled)))
                throw new InvalidOperationException($"{Convert.ToHexString(received.AsSpan(0, filled))} instead of {Convert.ToHexString(answer)}.");
        }
    }
}
