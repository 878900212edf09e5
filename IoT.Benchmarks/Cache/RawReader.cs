using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace IoT.Benchmarks.Cache;

/// <summary>Asks the same over a few connections, each for itself, a few requests ahead: as little work on this side as there can be.</summary>
internal static class RawReader
{
    private const int Connections = 8;

    /// <summary>Answers a second.</summary>
    public static async Task<double> RateAsync(int port, string path, string? key, TimeSpan length, CancellationToken cancellationToken)
    {
        var request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\n{(key is null ? "" : $"Authorization: Bearer {key}\r\n")}\r\n");
        var started = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(() => ReadAsync(port, request, started, length, cancellationToken), cancellationToken)));
        return counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task<long> ReadAsync(int port, byte[] request, long started, TimeSpan length, CancellationToken cancellationToken)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync("127.0.0.1", port, cancellationToken);
        var buffer = new byte[64 * 1024];
        var answer = 0;
        for (var count = 0L; ; count++)
        {
            await socket.SendAsync(request, cancellationToken);
            // The first answer tells how long each is: they are all the same.
            for (var got = 0; answer == 0 || got < answer;)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(got), cancellationToken);
                if (read == 0)
                    throw new IOException("The connection was closed.");
                got += read;
                if (answer == 0)
                    answer = LengthOf(buffer.AsSpan(0, got));
            }
            if (Stopwatch.GetElapsedTime(started) >= length)
                return count;
        }
    }

    private static int LengthOf(ReadOnlySpan<byte> answer)
    {
        var head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0)
            return 0;
        var text = Encoding.ASCII.GetString(answer[..head]);
        if (!text.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
            throw new InvalidOperationException($"Answered: {text.Split('\r')[0]}");
        var line = text.Split("\r\n").First(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
        return head + 4 + int.Parse(line.AsSpan("Content-Length:".Length), System.Globalization.CultureInfo.InvariantCulture);
    }
}
