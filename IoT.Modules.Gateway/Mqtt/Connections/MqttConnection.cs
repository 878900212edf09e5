using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <summary>What connections have in common.</summary>
internal sealed record ConnectionServices(
    MqttAccess Access, SessionStore Sessions, PublishPipeline Pipeline, Dispatcher Dispatcher, BrokerJournalWriter Journal, TopicCache Topics, BrokerMetrics Metrics,
    StrangerMemory Strangers, Lingering Lingering, GatewayOptions Options, TimeProvider Time, ILogger<MqttConnection> Logger);

/// <summary>
/// One MQTT connection, over whatever transport. A publish goes into the ingest log and the next packet is read; its acknowledgement is
/// held back in the <see cref="AckQueue"/>. When the host stops it reads no further, lets the acknowledgements out and says good-bye.
/// </summary>
internal sealed partial class MqttConnection : IDisposable
{
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BeginningTime = TimeSpan.FromMilliseconds(500);

    private readonly ConnectionContext _transport;
    private readonly ConnectionServices _services;
    private readonly PacketInput _input;
    private readonly AckQueue _acks;
    private readonly CancellationTokenSource _ending = new();
    private readonly CancellationToken _closing;
    private readonly CancellationTokenRegistration _closingRegistration;
    private readonly long _openedAt;

    private TimeSpan? _keepAlive;
    private long _silentSince;
    private long _endedAt;
    private long _heldBytes;
    private bool _isWelcome;
    private bool _isResumed;
    private bool _lingers;
    private bool _isDone;
    private bool _dropsWill;
    private uint? _expiryAtEnd;

    public MqttConnection(ConnectionContext transport, ConnectionServices services)
    {
        (_transport, _services) = (transport, services);
        _input = new PacketInput(transport.Transport.Input);
        Output = new PacketOutput(transport.Transport.Output, services.Time, Drained);
        _acks = new AckQueue(Output, () => Abort("The ingest log has failed."));
        _openedAt = services.Time.GetTimestamp();
        _closing = transport.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        _closingRegistration = _closing.UnsafeRegister(static input => ((PacketInput)input!).CancelRead(), _input);
    }

    public PacketOutput Output { get; }

    /// <summary>Null until the client has signed in.</summary>
    public MqttIdentity? Identity { get; private set; }

    /// <summary>Null until the client has signed in.</summary>
    public Session? Session { get; private set; }

    public bool IsVersion5 { get; private set; }

    public bool IsVersion31 { get; private set; }

    /// <summary>Most messages with QoS 1 and 2 that may be under way to the client.</summary>
    public int SendQuota { get; private set; }

    /// <summary>The host stops: nothing further is read.</summary>
    public bool IsClosing => _closing.IsCancellationRequested;

    public long BytesReceived => _input.BytesReceived;

    public long MessagesReceived { get; private set; }

    public long PublishesReceived { get; private set; }

    private bool IsEnding => Volatile.Read(ref _endedAt) != 0;

    private GatewayOptions Options => _services.Options;

    /// <summary>Serves the connection until it ends, however it does.</summary>
    public async Task RunAsync()
    {
        try
        {
            await ReadAsync();
        }
        catch (Exception exception) when (exception is IOException or ConnectionResetException or ConnectionAbortedException or OperationCanceledException)
        {
            // The client has gone, or was ended: what there is to say was said there.
            LogGone(_services.Logger, exception);
        }
        catch (IngestLogFailedException)
        {
            Abort("The ingest log has failed.");
        }
        catch (Exception exception)
        {
            LogBroken(_services.Logger, exception);
            Abort("The platform has failed.");
        }
        finally
        {
            await CloseAsync();
        }
    }

    /// <summary>Ends the connection from wherever: says why, if it can, and reads no further. Its session's will is due unless it is dropped.</summary>
    public void End(Reason reason, string what, bool dropsWill = false)
    {
        if (Interlocked.CompareExchange(ref _endedAt, Math.Max(1, _services.Time.GetTimestamp()), 0) != 0)
            return;
        _dropsWill |= dropsWill;
        _services.Metrics.Ended(reason.ToString());
        if (Identity is not null)
            LogEnded(_services.Logger, Identity.Scope, reason, what);
        using (var flush = FlushSet.Rent())
        {
            // The first word to a client is its CONNACK.
            if (_isWelcome && IsVersion5)
            {
                if (!Output.WriteControl(ControlPackets.Disconnect(reason, what), flush))
                    Output.WriteControl(ControlPackets.Disconnect(reason, null), flush);
                _lingers = true;
            }
        }
        Output.Stop();
        _ending.Cancel();
        _input.CancelRead();
    }

    /// <summary>Ends the connection at once.</summary>
    public void Abort(string what)
    {
        Interlocked.CompareExchange(ref _endedAt, Math.Max(1, _services.Time.GetTimestamp()), 0);
        Output.Stop();
        _transport.Abort(new ConnectionAbortedException(what));
        _ending.Cancel();
    }

    /// <summary>
    /// Waits that long, or until the host stops, before the packet at hand is gone on with; those behind it wait in the socket. PINGREQs
    /// among them are answered at once. What the packet holds has to be copied before.
    /// </summary>
    public async Task HoldAsync(TimeSpan wait)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token, _closing);
        await _input.HoldAsync(Task.Delay(wait, _services.Time, end.Token), pings =>
        {
            using var flush = FlushSet.Rent();
            for (; pings > 0; pings--)
                Output.WriteControl(PacketWriter.PingResponse, flush);
        });
    }

    /// <summary>Now and then: whether it has taken too long to sign in, to speak, to read, or to go.</summary>
    public void Tick()
    {
        var time = _services.Time;
        if (Volatile.Read(ref _isDone))
            return;
        if (Volatile.Read(ref _endedAt) is var endedAt and not 0)
        {
            if (time.GetElapsedTime(endedAt) > EndTime)
                Abort("The connection has ended.");
        }
        else if (Identity is null && time.GetElapsedTime(_openedAt).TotalSeconds > Options.MqttConnectSeconds)
        {
            _services.Metrics.Ended("NoConnect");
            Abort("The client did not sign in.");
        }
        else if (Output.StalledFor is { } stalled && stalled.TotalSeconds > Options.MqttWriteSeconds)
        {
            _services.Metrics.Ended("WriteTimeout");
            Abort("The client reads nothing of what waits for it.");
        }
        else if (_keepAlive is { } limit && Volatile.Read(ref _silentSince) is var since and not 0 && time.GetElapsedTime(since) >= limit)
        {
            End(Reason.KeepAliveTimeout, "The client was silent for one and a half times its keep-alive.");
        }
    }

    public void Dispose()
    {
        // Not the source of _ending, which holds nothing: somebody may just be ending the connection.
        _closingRegistration.Dispose();
        _input.Dispose();
    }

    private async Task ReadAsync()
    {
        var isOver = false;
        while (!IsEnding)
        {
            using (var flush = FlushSet.Rent())
            {
                Fault? fault = null;
                while (!IsEnding && _input.TryTake(Identity is null ? Options.MqttMaxPacketBytesBeforeConnect : Options.MqttMaxPacketBytes, out var frame, out fault))
                {
                    MessagesReceived++;
                    var handling = HandleAsync(frame, flush);
                    if (handling.IsCompletedSuccessfully)
                        continue;
                    flush.Flush();
                    await handling;
                }
                if (fault is { } wrong)
                {
                    // The rest of it is on its way.
                    _lingers = Identity is not null;
                    if (_lingers && wrong.Reason == Reason.PacketTooLarge)
                        await TurnAwayTooLargeAsync(wrong);
                    Fail(wrong);
                }
            }
            if (!_services.Strangers.TryHold(ref _heldBytes, Identity is null ? _input.Waiting : 0))
                return;
            if (isOver || IsEnding)
                return;
            if (IsClosing)
            {
                await DrainAsync();
                return;
            }

            // The client's silence begins when there is nothing left of it to handle: while we make it wait, it is not silent.
            var reading = _input.BeginReadAsync();
            Volatile.Write(ref _silentSince, reading.IsCompleted ? 0 : Math.Max(1, _services.Time.GetTimestamp()));
            var read = await reading;
            Volatile.Write(ref _silentSince, 0);
            _input.Take(read);
            isOver = read.IsCompleted;
            if (Identity is null && !read.Buffer.IsEmpty && read.Buffer.FirstSpan[0] >> 4 != (int)PacketType.Connect)
                return; // A stranger's first bytes: anything but CONNECT is not MQTT, and is not waited for.
        }
    }

    private ValueTask HandleAsync(Frame frame, FlushSet flush)
    {
        if (Identity is null)
            return SignInAsync(frame, flush);
        if (IsVersion31)
            frame = PacketDecoder.WithFlagsOf311(frame);
        switch (frame.Type)
        {
            case PacketType.Publish:
                return HandlePublishAsync(frame, flush);
            case PacketType.PubAck or PacketType.PubRec or PacketType.PubRel or PacketType.PubComp:
                HandleAck(frame, flush);
                return Room(_acks.Count);
            case PacketType.Subscribe:
                return HandleSubscribeAsync(frame, flush);
            case PacketType.Unsubscribe:
                return HandleUnsubscribeAsync(frame, flush);
            case PacketType.PingReq:
                if (PacketDecoder.ReadPing(frame) is { } wrong)
                    Fail(wrong);
                else
                    Output.WriteControl(PacketWriter.PingResponse, flush);
                return Room(_acks.Count);
            case PacketType.Disconnect:
                HandleDisconnect(frame);
                return ValueTask.CompletedTask;
            case 0:
                Fail(Fault.Protocol("There is no packet of type 0."));
                return ValueTask.CompletedTask;
            default:
                Fail(Fault.Protocol($"{frame.Type} is not a client's to send now."));
                return ValueTask.CompletedTask;
        }
    }

    private void HandleDisconnect(in Frame frame)
    {
        if (PacketDecoder.ReadDisconnect(frame, IsVersion5, out var packet) is { } fault)
        {
            Fail(fault);
            return;
        }
        if (packet.SessionExpiry is > 0 && Session!.ExpirySeconds == 0)
        {
            Fail(Fault.Protocol("A session without expiry can't get one at its end."));
            return;
        }
        _expiryAtEnd = packet.SessionExpiry is { } seconds ? Math.Min(seconds, Options.MqttMaxSessionExpirySeconds) : null;
        _dropsWill = packet.Reason == Reason.Success;
        Interlocked.CompareExchange(ref _endedAt, Math.Max(1, _services.Time.GetTimestamp()), 0);
    }

    private void Fail(Fault fault) => End(fault.Reason, fault.What);

    /// <summary>Without an answer that it is waiting for, a client had better begin anew.</summary>
    private void Reply(byte[] packet, FlushSet flush)
    {
        if (!Output.WriteControl(packet, flush))
            Fail(new Fault(Reason.PacketTooLarge, $"An answer of {packet.Length} bytes is larger than the client takes."));
    }

    /// <summary>A client that does not read what answers it is read no further.</summary>
    private ValueTask Room(int waiting)
    {
        if (waiting < Options.MqttMaxInFlight && Output.Room.IsCompleted)
            return ValueTask.CompletedTask;
        return WaitAsync();

        async ValueTask WaitAsync()
        {
            await Output.Room.WaitAsync(_ending.Token);
            await _acks.WaitForFewerAsync(Options.MqttMaxInFlight).WaitAsync(_ending.Token);
        }
    }

    private void Drained()
    {
        using var flush = FlushSet.Rent();
        _acks.Continue(flush);
        Session?.Drained(this, flush);
    }

    /// <summary>Everything that was read is taken in and acknowledged before the good-bye.</summary>
    private async Task DrainAsync()
    {
        try
        {
            await _acks.WaitForFewerAsync(1).WaitAsync(DrainTime, _services.Time, _ending.Token);
        }
        catch (TimeoutException)
        {
            // What is not acknowledged by now the client sends again.
        }
        End(Reason.ServerShuttingDown, "The platform stops.");
    }

    private async Task CloseAsync()
    {
        Interlocked.CompareExchange(ref _endedAt, Math.Max(1, _services.Time.GetTimestamp()), 0);
        if (Session is { } session)
            _services.Sessions.Close(this, session, _dropsWill, _expiryAtEnd);
        _services.Strangers.TryHold(ref _heldBytes, 0);
        if (_lingers && _services.Lingering.TryBegin())
        {
            try
            {
                await _input.ReadPastAsync(_services.Time);
            }
            finally
            {
                _services.Lingering.End();
            }
        }
        await _input.CompleteAsync();
        await Output.CloseAsync();
        Volatile.Write(ref _isDone, true);
    }

    [LoggerMessage(2130, LogLevel.Error, "An MQTT connection has failed")]
    private static partial void LogBroken(ILogger logger, Exception exception);

    [LoggerMessage(2132, LogLevel.Debug, "An MQTT connection is gone")]
    private static partial void LogGone(ILogger logger, Exception exception);

    [LoggerMessage(2131, LogLevel.Debug, "The MQTT connection of {Scope} ends, {Reason}: {What}")]
    private static partial void LogEnded(ILogger logger, string scope, Reason reason, string what);
}
