using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace IoT.Tests.Crash;

/// <summary>
/// MQTT 5 on a raw socket: publishes are written without waiting for one another, acknowledgements are read one by one. A client library
/// would hide what is to be seen here: which acknowledgement came, in which order, with which code.
/// </summary>
internal sealed class MqttPipe : IAsyncDisposable
{
    private const byte Connack = 0x20, Publish = 0x32, Puback = 0x40, Pingreq = 0xC0, Pingresp = 0xD0;

    private readonly TcpClient _socket;
    private readonly BufferedStream _input;
    private readonly NetworkStream _output;

    private MqttPipe(TcpClient socket)
    {
        _socket = socket;
        _output = socket.GetStream();
        _input = new BufferedStream(_output, 16 * 1024);
    }

    /// <exception cref="IOException">Not let in.</exception>
    public static async Task<MqttPipe> ConnectAsync(int port, string user, string password, CancellationToken cancellationToken)
    {
        var socket = new TcpClient { NoDelay = true };
        try
        {
            await socket.ConnectAsync("127.0.0.1", port, cancellationToken);
            var pipe = new MqttPipe(socket);
            var connect = new MemoryStream();
            connect.Write([0, 4, .. "MQTT"u8, 5, 0xC2, 0, 0, 0]);
            WriteText(connect, $"crash-{Guid.NewGuid():N}");
            WriteText(connect, user);
            WriteText(connect, password);
            await pipe.WriteAsync(0x10, connect.ToArray(), cancellationToken);
            return await pipe.ReadAsync(cancellationToken) is (Connack, [_, 0, ..]) ? pipe : throw new IOException("The broker refuses the connection.");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public Task PublishAsync(string topic, string payload, ushort packetId, CancellationToken cancellationToken)
    {
        var body = new MemoryStream();
        WriteText(body, topic);
        WriteNumber(body, packetId);
        body.WriteByte(0);
        body.Write(Encoding.UTF8.GetBytes(payload));
        return WriteAsync(Publish, body.ToArray(), cancellationToken);
    }

    public Task PingAsync(CancellationToken cancellationToken) => WriteAsync(Pingreq, [], cancellationToken);

    /// <summary>The next acknowledgement, a packet id and a reason code; id 0 answers a ping. Null when the connection has ended.</summary>
    public async Task<(ushort PacketId, byte Code)?> AcknowledgementAsync(CancellationToken cancellationToken) =>
        await ReadAsync(cancellationToken) switch
        {
            (Puback, { Length: >= 2 } body) => (BinaryPrimitives.ReadUInt16BigEndian(body), body.Length > 2 ? body[2] : (byte)0),
            (Pingresp, _) => (0, 0),
            _ => null,
        };

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task WriteAsync(byte kind, byte[] body, CancellationToken cancellationToken)
    {
        var packet = new MemoryStream(body.Length + 5);
        packet.WriteByte(kind);
        var rest = body.Length;
        do
        {
            packet.WriteByte((byte)(rest % 128 | (rest >= 128 ? 128 : 0)));
            rest /= 128;
        }
        while (rest > 0);
        packet.Write(body);
        await _output.WriteAsync(packet.GetBuffer().AsMemory(0, (int)packet.Length), cancellationToken);
    }

    private async Task<(byte Kind, byte[] Body)> ReadAsync(CancellationToken cancellationToken)
    {
        var next = new byte[1];
        if (await _input.ReadAsync(next, cancellationToken) == 0)
            return default;
        var kind = next[0];
        var length = 0;
        for (var shift = 0; ; shift += 7)
        {
            await _input.ReadExactlyAsync(next, cancellationToken);
            length |= (next[0] & 127) << shift;
            if (next[0] < 128)
                break;
        }
        var body = new byte[length];
        await _input.ReadExactlyAsync(body, cancellationToken);
        return (kind, body);
    }

    private static void WriteText(MemoryStream target, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        WriteNumber(target, (ushort)bytes.Length);
        target.Write(bytes);
    }

    private static void WriteNumber(MemoryStream target, ushort number) => target.Write([(byte)(number >> 8), (byte)number]);
}
