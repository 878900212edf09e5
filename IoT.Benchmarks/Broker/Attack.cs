using System.Net;
using System.Net.Sockets;
using IoT.Benchmarks.Load;

namespace IoT.Benchmarks.Broker;

/// <summary>Clients that mean harm, or are broken; each goes on until it is cancelled.</summary>
internal static class Attack
{
    private const int SlowSubscribers = 5;
    private const int UnreadPublishers = 20;
    private const int SilentSockets = 500;

    // None of the others': what an attacker uses up of its rate is its own.
    private const int Device = 20_000;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Subscribes to everything that is published, and reads nothing.</summary>
    public static async Task SlowSubscriberAsync(int port, CancellationToken cancellationToken)
    {
        var clients = new List<Subscriber>();
        try
        {
            for (var n = 0; n < SlowSubscribers; n++)
            {
                clients.Add(new Subscriber());
                await clients[^1].ConnectAsync(port, $"slow-{n}");
                await clients[^1].SubscribeAsync(["devices/#"], 1);
            }
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
    }

    /// <summary>Publishes and pings without end, and reads none of the answers.</summary>
    public static async Task UnreadAcksAsync(int port, CancellationToken cancellationToken)
    {
        var clients = new List<Subscriber>();
        try
        {
            for (var n = 0; n < UnreadPublishers; n++)
            {
                // A small window, so that what is not read soon has nowhere to go.
                clients.Add(new Subscriber(receiveBufferBytes: 4096));
                await clients[^1].ConnectAsync(port, $"unread-{n}");
            }
            byte[] packets = [.. Enumerable.Range(1, 100).SelectMany(id => (byte[])[.. Samples.Publish(Device, id, (ushort)id), 0xC0, 0])];
            await Task.WhenAll(clients.Select(async client =>
            {
                try
                {
                    while (true)
                        await client.SendAsync(packets).WaitAsync(cancellationToken);
                }
                catch (SocketException)
                {
                    // Ended by the broker.
                }
            }));
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
    }

    /// <summary>Sockets that say nothing, and some hundred new ones a second that announce packets of the greatest size.</summary>
    public static async Task PreLoginAsync(int port, CancellationToken cancellationToken)
    {
        byte[][] greetings = [[0x10, 0xFF, 0xFF, 0xFF, 0xFF], [0x10, 0xFF, 0xFF, 0xFF, 0x7F, .. new byte[100_000]], [0x10, 0x80, 0x80, 0x04, .. new byte[60_000]], [.. "GET / HTTP/1.1\r\n\r\n"u8]];
        var sockets = new Queue<Socket>();
        try
        {
            for (var n = 0; ; n++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                sockets.Enqueue(socket);
                try
                {
                    await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
                    if (n > SilentSockets)
                        await socket.SendAsync(greetings[n % greetings.Length], SocketFlags.None, cancellationToken).AsTask().WaitAsync(Pause, TimeProvider.System, cancellationToken);
                }
                catch (Exception exception) when (exception is SocketException or TimeoutException)
                {
                    // Refused, or read no further.
                }
                if (sockets.Count > 2 * SilentSockets)
                    sockets.Dequeue().Dispose();
                if (n % 5 == 0 && n > SilentSockets)
                    await Task.Delay(Pause, TimeProvider.System, cancellationToken);
            }
        }
        finally
        {
            while (sockets.TryDequeue(out var socket))
                socket.Dispose();
        }
    }
}
