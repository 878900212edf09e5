using System.Buffers;
using System.IO.Pipelines;
using IoT.Modules.Gateway.Mqtt.Packets;
using Microsoft.AspNetCore.Connections;

namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <summary>Cuts what comes in on a connection into packets, without copying those that lie in one piece.</summary>
internal sealed class PacketInput(PipeReader pipe) : IDisposable
{
    // Of a client that has not taken notice of the end yet; a whole packet that was too large is among it.
    private const long MostReadPast = 4 * 1024 * 1024;

    private static readonly TimeSpan LongestPast = TimeSpan.FromMilliseconds(750);
    private static readonly TimeSpan QuietPast = TimeSpan.FromMilliseconds(200);

    private ReadAhead? _ahead;
    private ReadOnlySequence<byte> _buffer;
    private Task<ReadResult>? _begunRead;
    private byte[]? _joined;
    private bool _isReading;

    public long BytesReceived { get; private set; }

    /// <summary>Bytes that are there and not handled.</summary>
    public long Waiting => _buffer.Length + (_ahead?.Length ?? 0);

    /// <summary>The next packet; false when it is not all there, or a fault says that none will follow.</summary>
    /// <param name="limit">Largest packet. What the first bytes announce is not waited for when it is larger.</param>
    public bool TryTake(long limit, out Frame frame, out Fault? fault)
    {
        while (true)
        {
            var isAhead = _ahead is { Length: > 0 };
            var buffer = isAhead ? _ahead!.Received : _buffer;
            if (!TryMeasure(buffer, limit, out var headerBytes, out var bodyBytes, out fault))
            {
                frame = default;
                return false;
            }
            var header = buffer.FirstSpan[0];
            frame = new Frame(header, Join(buffer.Slice(headerBytes, bodyBytes)));
            BytesReceived += headerBytes + bodyBytes;
            if (!isAhead)
                _buffer = buffer.Slice(headerBytes + bodyBytes);
            else if (_ahead!.WasAnswered(frame.Type == PacketType.PingReq, (int)(headerBytes + bodyBytes)))
                continue;
            return true;
        }
    }

    /// <summary>What was taken before is no longer valid.</summary>
    public ValueTask<ReadResult> BeginReadAsync()
    {
        if (_isReading)
            pipe.AdvanceTo(_buffer.Start, _buffer.End);
        (_isReading, _buffer) = (false, default);
        _ahead?.Trim();
        Return();
        var reading = _begunRead is { } begun ? new ValueTask<ReadResult>(begun) : pipe.ReadAsync();
        _begunRead = null;
        return reading;
    }

    public void Take(in ReadResult read)
    {
        if (_ahead is { Length: > 0 })
        {
            // The rest of a packet whose beginning was read while the connection was held.
            _ahead.Add(read.Buffer);
            pipe.AdvanceTo(read.Buffer.End);
            return;
        }
        (_buffer, _isReading) = (read.Buffer, true);
    }

    public void CancelRead() => pipe.CancelPendingRead();

    /// <summary>
    /// Waits that long, and reads on meanwhile, as far as the read-ahead goes, to answer the PINGREQs in it: a client that is slowed
    /// down sees a connection that is alive. What was taken before is no longer valid afterwards.
    /// </summary>
    public async Task HoldAsync(Task over, Action<int> answerPings)
    {
        _ahead ??= new ReadAhead();
        if (_isReading)
        {
            _ahead.Add(_buffer);
            pipe.AdvanceTo(_buffer.End);
            (_isReading, _buffer) = (false, default);
            Answer();
        }
        while (!over.IsCompleted && _ahead.Length < ReadAhead.MaxBytes)
        {
            _begunRead ??= pipe.ReadAsync().AsTask();
            if (await Task.WhenAny(_begunRead, over) == over || !_begunRead.IsCompletedSuccessfully)
                break;
            var read = await _begunRead;
            _begunRead = null;
            _ahead.Add(read.Buffer);
            pipe.AdvanceTo(read.Buffer.End);
            Answer();
            if (read.IsCanceled || read.IsCompleted)
                break;
        }
        await over.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        void Answer()
        {
            if (_ahead.FindPings() is > 0 and var pings)
                answerPings(pings);
        }
    }

    /// <summary>The packet that is over the limit, of which the beginning is all that will be read: up to that many bytes, or what comes in time.</summary>
    public async Task<(Frame Beginning, long WholeBytes)> ReadBeginningAsync(int most, TimeSpan longest, TimeProvider time)
    {
        using (var enough = new CancellationTokenSource(longest, time))
        using (enough.Token.UnsafeRegister(static pipe => ((PipeReader)pipe!).CancelPendingRead(), pipe))
        {
            for (var isOver = false; !isOver && Waiting < most && !enough.IsCancellationRequested;)
            {
                var read = await BeginReadAsync();
                Take(read);
                isOver = read.IsCompleted;
            }
        }
        var buffer = _ahead is { Length: > 0 } ? _ahead.Received : _buffer;
        TryMeasure(buffer, long.MaxValue, out var headerBytes, out var bodyBytes, out _);
        var body = buffer.Slice(headerBytes);
        return (new Frame(buffer.FirstSpan[0], body.Slice(0, Math.Min(body.Length, most)).ToArray()), bodyBytes);
    }

    /// <summary>
    /// Reads past what still comes, until the client closes, is quiet for a moment, or has had its time: closed with something unread the
    /// connection would be reset, and what was said last lost with it.
    /// </summary>
    public async Task ReadPastAsync(TimeProvider time)
    {
        using var quiet = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var waking = quiet.Token.UnsafeRegister(static pipe => ((PipeReader)pipe!).CancelPendingRead(), pipe);
        var since = time.GetTimestamp();
        try
        {
            for (var left = MostReadPast; left > 0 && time.GetElapsedTime(since) < LongestPast;)
            {
                quiet.CancelAfter(QuietPast);
                var read = await BeginReadAsync();
                left -= read.Buffer.Length;
                pipe.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || quiet.IsCancellationRequested)
                    break;
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ConnectionAbortedException)
        {
            // Gone.
        }
    }

    public async Task CompleteAsync()
    {
        if (_begunRead is { } begun)
        {
            pipe.CancelPendingRead();
            await ((Task)begun).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await pipe.CompleteAsync();
    }

    public void Dispose()
    {
        _ahead?.Dispose();
        Return();
    }

    /// <summary>Before anything is buffered: the fixed header says how much will come.</summary>
    private static bool TryMeasure(in ReadOnlySequence<byte> buffer, long limit, out int headerBytes, out long bodyBytes, out Fault? fault)
    {
        (headerBytes, bodyBytes, fault) = (0, 0, null);
        Span<byte> header = stackalloc byte[PacketWriter.MaxHeaderBytes];
        scoped var there = buffer.FirstSpan.Length >= header.Length ? buffer.FirstSpan[..header.Length] : Copied(buffer, header);
        for (var i = 1; i < there.Length; i++)
        {
            bodyBytes |= (long)(there[i] & 127) << 7 * (i - 1);
            if (there[i] < 128)
            {
                headerBytes = i + 1;
                break;
            }
        }
        if (headerBytes == 0)
        {
            if (there.Length == header.Length)
                fault = Fault.Malformed("The remaining length has more than four bytes.");
            return false;
        }
        if (headerBytes + bodyBytes > limit)
        {
            fault = new Fault(Reason.PacketTooLarge, $"A packet of {headerBytes + bodyBytes} bytes is over the limit of {limit}.");
            return false;
        }
        return buffer.Length >= headerBytes + bodyBytes;
    }

    private static ReadOnlySpan<byte> Copied(in ReadOnlySequence<byte> buffer, Span<byte> target)
    {
        var start = buffer.Slice(0, Math.Min(buffer.Length, target.Length));
        start.CopyTo(target);
        return target[..(int)start.Length];
    }

    private ReadOnlyMemory<byte> Join(in ReadOnlySequence<byte> body)
    {
        if (body.IsSingleSegment)
            return body.First;
        if (_joined is null || _joined.Length < body.Length)
        {
            Return();
            _joined = ArrayPool<byte>.Shared.Rent((int)body.Length);
        }
        body.CopyTo(_joined);
        return _joined.AsMemory(0, (int)body.Length);
    }

    private void Return()
    {
        if (_joined is not null)
            ArrayPool<byte>.Shared.Return(_joined);
        _joined = null;
    }
}
