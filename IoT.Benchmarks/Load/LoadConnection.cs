using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace IoT.Benchmarks.Load;

/// <summary>How many whole answers stand at a buffer's beginning.</summary>
internal delegate int AnswerReader(ReadOnlySpan<byte> received, out int consumed);

/// <summary>
/// One connection that sends requests encoded beforehand, round and round, several in flight. Answers come in order (MQTT's
/// acknowledgements and HTTP's alike), so nothing is looked up.
/// </summary>
internal sealed class LoadConnection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _requests;
    private readonly int[] _starts;
    private readonly long[] _sentAt;
    private readonly AnswerReader _read;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _filled;
    private long _sent;
    private long _answered;

    public LoadConnection(IReadOnlyList<byte[]> requests, AnswerReader read)
    {
        _requests = [.. requests.SelectMany(request => request)];
        _starts = new int[requests.Count + 1];
        for (var i = 0; i < requests.Count; i++)
            _starts[i + 1] = _starts[i] + requests[i].Length;
        _sentAt = new long[requests.Count];
        _read = read;
    }

    public LatencyHistogram Latencies { get; private set; } = new();

    private int Slots => _sentAt.Length;

    public async Task OpenAsync(int port, byte[] greeting, byte[] welcome)
    {
        await _socket.ConnectAsync(IPAddress.Loopback, port);
        if (greeting.Length == 0)
            return;
        await SendAsync(greeting);
        var received = 0;
        while (received < welcome.Length)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(received));
            received += read;
            if (read == 0 || !_buffer.AsSpan(0, received).SequenceEqual(welcome.AsSpan(0, Math.Min(received, welcome.Length))))
                throw new InvalidOperationException($"Signing in was answered by {Convert.ToHexString(_buffer.AsSpan(0, received))}.");
        }
    }

    public void Reset() => Latencies = new LatencyHistogram();

    /// <summary>As many in flight as allowed, as long as there is something to claim.</summary>
    public async Task RunAsync(int inFlight, Func<int, int> claim)
    {
        var toSend = claim(Math.Min(inFlight, Slots));
        while (true)
        {
            if (toSend > 0)
                await SendNextAsync(toSend, Stopwatch.GetTimestamp(), 0);
            if (_answered == _sent)
                return;
            var answers = await TakeAnswersAsync(CancellationToken.None);
            toSend = answers == 0 ? 0 : claim(answers);
        }
    }

    /// <summary>Messages that are due; fewer when too many wait for their answers. Answers how many were sent.</summary>
    public async Task<int> SendDueAsync(int due, long dueFrom, double ticksApart)
    {
        var count = (int)Math.Min(due, Slots - (_sent - Volatile.Read(ref _answered)));
        if (count > 0)
            await SendNextAsync(count, dueFrom, ticksApart);
        return count;
    }

    /// <summary>Takes answers until it is cancelled.</summary>
    public async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
                await TakeAnswersAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // All that was sent is answered.
        }
    }

    public bool IsAnswered => Volatile.Read(ref _answered) == Volatile.Read(ref _sent);

    public void Dispose() => _socket.Dispose();

    private async ValueTask SendNextAsync(int count, long at, double ticksApart)
    {
        var first = (int)(_sent % Slots);
        for (var i = 0; i < count; i++)
            _sentAt[(first + i) % Slots] = at + (long)(i * ticksApart);
        Volatile.Write(ref _sent, _sent + count);
        var end = Math.Min(first + count, Slots);
        await SendAsync(_requests.AsMemory(_starts[first].._starts[end]));
        if (first + count > Slots)
            await SendAsync(_requests.AsMemory(0, _starts[first + count - Slots]));
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await _socket.SendAsync(bytes)..];
    }

    private async ValueTask<int> TakeAnswersAsync(CancellationToken cancellationToken)
    {
        var read = await _socket.ReceiveAsync(_buffer.AsMemory(_filled), cancellationToken);
        if (read == 0)
            throw new InvalidOperationException("The connection was closed.");
        _filled += read;
        var answers = _read(_buffer.AsSpan(0, _filled), out var consumed);
        _buffer.AsSpan(consumed, _filled - consumed).CopyTo(_buffer);
        _filled -= consumed;
        var now = Stopwatch.GetTimestamp();
        for (var i = 0; i < answers; i++)
            Latencies.Add(now - _sentAt[(int)((_answered + i) % Slots)], 1);
        Volatile.Write(ref _answered, _answered + answers);
        return answers;
    }
}
