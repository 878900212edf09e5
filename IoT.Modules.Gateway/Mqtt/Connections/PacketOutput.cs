using System.Buffers;
using System.IO.Pipelines;
using IoT.Modules.Gateway.Mqtt.Packets;

namespace IoT.Modules.Gateway.Mqtt.Connections;

internal enum WriteResult
{
    Written,

    /// <summary>The client reads too slowly: try again when told that there is room.</summary>
    Congested,

    /// <summary>Larger than the client takes: it never gets it.</summary>
    TooLarge,
    Closed,
}

/// <summary>
/// What goes out on a connection. Any thread may write; nothing waits. While the client does not read, some 100 KiB are buffered, and
/// writes are refused until they are gone.
/// </summary>
/// <param name="drained">Called when there is room again.</param>
internal sealed class PacketOutput(PipeWriter pipe, TimeProvider time, Action drained)
{
    private const int SendAtBytes = 32 * 1024;
    private const int MostAliases = 1024;

    private readonly Lock _gate = new();
    private ArrayBufferWriter<byte>? _held;
    private Dictionary<string, ushort>? _aliases;
    private ushort _aliasMaximum;
    private bool _isVersion5;
    private uint _maximumPacketSize = uint.MaxValue;
    private bool _tellsReasons = true;
    private Task _flush = Task.CompletedTask;
    private long _flushingSince;
    private int _unsent;
    private bool _isFlushing;
    private bool _isDirty;
    private bool _isClosed;

    /// <summary>Only the gate's holder writes them; others may read a value that is a moment old.</summary>
    public long BytesSent { get; private set; }

    public long MessagesSent { get; private set; }

    public long PublishesSent { get; private set; }

    /// <summary>Completes when what could not be sent at once is gone; what is held for it then follows.</summary>
    public Task Room => Volatile.Read(ref _flush);

    /// <summary>How long the client has read nothing of what waits for it; null when nothing does.</summary>
    public TimeSpan? StalledFor => Volatile.Read(ref _flushingSince) is var since and not 0 ? time.GetElapsedTime(since) : null;

    public void Configure(ConnectPacket connect)
    {
        lock (_gate)
        {
            (_isVersion5, _maximumPacketSize, _tellsReasons) = (connect.IsVersion5, connect.MaximumPacketSize, connect.RequestsProblemInformation);
            _aliasMaximum = Math.Min(connect.TopicAliasMaximum, (ushort)MostAliases);
        }
    }

    /// <summary>
    /// Something that there is always room for, and the reader of the connection waits for <see cref="Room"/> afterwards: bounded by one of
    /// them. False when it is larger than the client takes, and is not sent.
    /// </summary>
    public bool WriteControl(ReadOnlySpan<byte> packet, FlushSet flush)
    {
        lock (_gate)
        {
            if (packet.Length > _maximumPacketSize)
                return false;
            if (_isClosed)
                return true;
            if (_isFlushing)
            {
                (_held ??= new ArrayBufferWriter<byte>(256)).Write(packet);
                return true;
            }
            pipe.Write(packet);
            Wrote(packet.Length, flush);
            return true;
        }
    }

    /// <summary>False when there is no room.</summary>
    public bool WriteAck(PacketType type, ushort packetId, Reason reason, string? reasonString, FlushSet flush)
    {
        lock (_gate)
        {
            if (_isClosed)
                return true;
            if (_isFlushing)
                return false;
            Wrote(PacketWriter.Ack(pipe, type, packetId, reason, _tellsReasons ? reasonString : null, _isVersion5, _maximumPacketSize), flush);
            return true;
        }
    }

    public WriteResult WritePublish(Message message, byte qos, ushort packetId, bool isDup, bool isRetain, uint[]? subscriptionIds, FlushSet flush)
    {
        lock (_gate)
        {
            if (_isClosed)
                return WriteResult.Closed;
            if (_isFlushing)
                return WriteResult.Congested;
            var (alias, sendsTopic) = (AliasOf(message.Topic.Name, out var isNewAlias), true);
            if (alias != 0)
                sendsTopic = isNewAlias;
            var publish = new OutgoingPublish(message, qos, packetId, isDup, isRetain, _isVersion5, alias, sendsTopic, _isVersion5 ? message.RemainingSeconds : null, subscriptionIds);
            if (_maximumPacketSize < int.MaxValue && PacketWriter.SizeOf(publish) > _maximumPacketSize)
                return WriteResult.TooLarge;
            if (isNewAlias)
                _aliases![message.Topic.Name] = alias;
            PublishesSent++;
            Wrote(PacketWriter.Publish(pipe, publish), flush);
            return WriteResult.Written;
        }
    }

    public void Flush()
    {
        lock (_gate)
        {
            if (_isDirty && !_isFlushing)
                Send();
        }
    }

    /// <summary>Nothing more is written; what was goes out.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            if (_isDirty && !_isFlushing)
                Send();
            _isClosed = true;
        }
    }

    public async Task CloseAsync()
    {
        Stop();
        await Room;
        await pipe.CompleteAsync();
    }

    private ushort AliasOf(string topic, out bool isNew)
    {
        isNew = false;
        if (_aliasMaximum == 0)
            return 0;
        if ((_aliases ??= new(StringComparer.Ordinal)).TryGetValue(topic, out var alias))
            return alias;
        if (_aliases.Count >= _aliasMaximum)
            return 0;
        isNew = true;
        return (ushort)(_aliases.Count + 1);
    }

    private void Wrote(int bytes, FlushSet flush)
    {
        (BytesSent, MessagesSent) = (BytesSent + bytes, MessagesSent + 1);
        _unsent += bytes;
        if (_unsent >= SendAtBytes)
        {
            Send();
        }
        else if (!_isDirty)
        {
            _isDirty = true;
            flush.Add(this);
        }
    }

    private void Send()
    {
        (_isDirty, _unsent) = (false, 0);
        if (_isClosed)
            return;
        var flushing = pipe.FlushAsync();
        if (flushing.IsCompletedSuccessfully)
        {
            _isClosed = flushing.Result.IsCompleted;
            return;
        }
        _isFlushing = true;
        Volatile.Write(ref _flushingSince, Math.Max(1, time.GetTimestamp()));
        _flush = FinishAsync(flushing);
    }

    private async Task FinishAsync(ValueTask<FlushResult> flushing)
    {
        var isClosed = true;
        try
        {
            // Never on the stack of who writes: he holds locks, and is in the middle of what the end of a flush begins.
            isClosed = (await flushing.AsTask().ConfigureAwait(ConfigureAwaitOptions.ForceYielding)).IsCompleted;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The connection has gone: nothing is to be written to it any more.
        }
        lock (_gate)
        {
            _isFlushing = false;
            Volatile.Write(ref _flushingSince, 0);
            _isClosed |= isClosed;
            if (_held is { WrittenCount: > 0 } held && !_isClosed)
            {
                pipe.Write(held.WrittenSpan);
                BytesSent += held.WrittenCount;
                _held = null;
                Send();
            }
        }
        drained();
    }
}
