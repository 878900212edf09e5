using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using IoT.Modules.Gateway.IngestLog;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using MQTTnet.Adapter;
using MQTTnet.AspNetCore;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>How a publish is to be acknowledged.</summary>
internal readonly record struct Acknowledgement(MqttPubAckReasonCode Code, string? Reason = null)
{
    public static readonly Acknowledgement Success = new(MqttPubAckReasonCode.Success);
}

/// <summary>
/// One MQTT connection between Kestrel and MQTTnet's session layer. It holds each PUBACK and PUBREC back until the publish it
/// answers is on disk, so that publishes need not wait for one another; bounds packets and publishes in flight; watches the
/// keep-alive; and when the host stops, reads no further, lets the acknowledgements out and says good-bye.
/// </summary>
internal sealed class MqttConnection : IMqttChannelAdapter
{
    private static readonly AsyncLocal<MqttConnection?> CurrentConnection = new();

    private readonly ConnectionContext _connection;
    private readonly GatewayOptions _options;
    private readonly TimeProvider _time;
    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly SemaphoreSlim _writing = new(1);
    private readonly SemaphoreSlim _inFlight;
    private readonly CancellationToken _closing;
    private readonly CancellationTokenRegistration _closingRegistration;
    private readonly ReadAhead _ahead = new();

    // A read that HoldAsync has begun and the next packet is to come from.
    private Task<ReadResult>? _begunRead;

    private TimeSpan? _keepAlive;
    private long _silentSince;

    // The session layer answers publishes in the order in which it read them, so a queue pairs them with their acknowledgements.
    private readonly ConcurrentQueue<(Task Commit, Acknowledgement Answer)> _acknowledgements = new();

    public MqttConnection(ConnectionContext connection, MqttPacketFormatterAdapter formatter, GatewayOptions options, TimeProvider time)
    {
        _connection = connection;
        _options = options;
        _time = time;
        _input = connection.Transport.Input;
        _output = connection.Transport.Output;
        _inFlight = new SemaphoreSlim(options.MqttMaxInFlight);
        PacketFormatterAdapter = formatter;
        _closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        _closingRegistration = _closing.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _input);
        connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static state => ((MqttConnection)state).WakeWhenSilent(), this);
    }

    /// <summary>
    /// The connection whose packet is being handled: it flows with the execution context of its receive loop, which the session layer
    /// never leaves. (Its events name only the session, which a second connection may have taken over meanwhile.)
    /// </summary>
    public static MqttConnection? Current
    {
        get => CurrentConnection.Value;
        set => CurrentConnection.Value = value;
    }

    /// <summary>Null until the client has signed in.</summary>
    public MqttIdentity? Identity { get; set; }

    /// <summary>The CONNECT packet, once it is there.</summary>
    public MqttConnectPacket? Connect { get; private set; }

    /// <summary>The host stops: nothing further is read.</summary>
    public bool IsClosing => _closing.IsCancellationRequested;

    public long BytesReceived { get; private set; }

    public long BytesSent { get; private set; }

    public X509Certificate2? ClientCertificate => null;

    public EndPoint? RemoteEndPoint => _connection.RemoteEndPoint;

    public EndPoint? LocalEndPoint => _connection.LocalEndPoint;

    public bool IsSecureConnection => false;

    /// <summary>The device that the client's certificate names; null: none.</summary>
    public string? CertifiedDevice => Tls.DeviceCertificate.DeviceOf(_connection);

    public MqttPacketFormatterAdapter PacketFormatterAdapter { get; }

    /// <summary>Ends the connection at once.</summary>
    public void Abort(string reason) => _connection.Abort(new ConnectionAbortedException(reason));

    /// <summary>Waits for room among the publishes in flight; then <see cref="Acknowledge"/> must follow.</summary>
    public Task ReserveAsync(CancellationToken cancellationToken) => _inFlight.WaitAsync(cancellationToken);

    /// <summary>Says how the publish just read is to be acknowledged, and what that waits for. In the order of the publishes.</summary>
    public void Acknowledge(Task commit, Acknowledgement answer) => _acknowledgements.Enqueue((commit, answer));

    public Task ConnectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task DisconnectAsync(CancellationToken cancellationToken)
    {
        await _input.CompleteAsync();
        await _output.CompleteAsync();
    }

    public void Dispose()
    {
        _closingRegistration.Dispose();
        _writing.Dispose();
        _inFlight.Dispose();
        _ahead.Dispose();
    }

    /// <summary>
    /// Waits that long, or until the host stops, before the packet at hand is gone on with; those behind it wait in the socket. PINGREQs
    /// among them are answered at once: a client that is slowed down sees a connection that is alive.
    /// </summary>
    public async Task HoldAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing);
        var over = Task.Delay(wait, _time, end.Token);
        while (!over.IsCompleted && _ahead.Length < ReadAhead.MaxBytes)
        {
            _begunRead ??= _input.ReadAsync(cancellationToken).AsTask();
            if (await Task.WhenAny(_begunRead, over) == over || !_begunRead.IsCompletedSuccessfully)
                break;
            var read = await _begunRead;
            _begunRead = null;
            _ahead.Add(read.Buffer);
            _input.AdvanceTo(read.Buffer.End);
            for (var unanswered = _ahead.FindPings(); unanswered > 0; unanswered--)
                await SendPacketAsync(MqttPingRespPacket.Instance, cancellationToken);
            if (read.IsCanceled || read.IsCompleted)
                break;
        }
        await over.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    public void ResetStatistics() => (BytesReceived, BytesSent) = (0, 0);

    public async Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_closing.IsCancellationRequested)
            {
                await DrainAsync(cancellationToken);
                return null;
            }
            if (_ahead.Length > 0 && TryDecode(_ahead.Received, out var packet, out _, out _, out var bytes))
            {
                if (_ahead.WasAnswered(packet, bytes))
                    continue;
                return packet;
            }

            var reading = _begunRead is { } begun ? new ValueTask<ReadResult>(begun) : _input.ReadAsync(cancellationToken);
            _begunRead = null;
            // The client's silence begins when there is nothing left of it to handle: while we make it wait, it is not silent.
            var silentSince = reading.IsCompleted ? 0 : _time.GetTimestamp();
            Volatile.Write(ref _silentSince, silentSince);
            var read = await reading;
            Volatile.Write(ref _silentSince, 0);
            if (read.IsCanceled && (_closing.IsCancellationRequested || IsTooLong(silentSince)))
            {
                _input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                if (!_closing.IsCancellationRequested)
                    await EndSilentAsync(cancellationToken);
                continue;
            }

            var consumed = read.Buffer.Start;
            var examined = read.Buffer.End;
            try
            {
                if (_ahead.Length > 0)
                {
                    // The rest of a packet whose beginning was read while the connection was held.
                    _ahead.Add(read.Buffer);
                    consumed = read.Buffer.End;
                }
                else if (TryDecode(read.Buffer, out packet, out consumed, out examined, out _))
                {
                    return packet;
                }
                if (read.IsCompleted && consumed.Equals(read.Buffer.Start))
                    throw new MqttCommunicationException("The client closed the connection.");
            }
            finally
            {
                _input.AdvanceTo(consumed, examined);
            }
        }
    }

    public async Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken)
    {
        var isAcknowledgement = packet is MqttPubAckPacket or MqttPubRecPacket;
        switch (packet)
        {
            case MqttPubAckPacket ack:
                (ack.ReasonCode, ack.ReasonString) = await NextAcknowledgementAsync(cancellationToken);
                break;
            case MqttPubRecPacket received:
                var (code, reason) = await NextAcknowledgementAsync(cancellationToken);
                (received.ReasonCode, received.ReasonString) = ((MqttPubRecReasonCode)code, reason);
                break;
        }

        await _writing.WaitAsync(cancellationToken);
        try
        {
            var encoded = PacketFormatterAdapter.Encode(packet);
            _output.Write(encoded.Packet);
            foreach (var segment in encoded.Payload)
                _output.Write(segment.Span);
            // A group commit releases many at once. The one before the next that may go leaves the socket to it: a system call for all of
            // them instead of one each, which took a fifth of the host's time under load.
            if (!isAcknowledgement || !IsNextAcknowledgementReady)
                await _output.FlushAsync(cancellationToken);
            BytesSent += encoded.Length;
        }
        finally
        {
            PacketFormatterAdapter.Cleanup();
            _writing.Release();
        }
    }

    private bool TryDecode(in ReadOnlySequence<byte> received, [NotNullWhen(true)] out MqttPacket? packet, out SequencePosition consumed, out SequencePosition examined, out int bytes)
    {
        CheckSize(received);
        if (!PacketFormatterAdapter.TryDecode(received, out packet, out consumed, out examined, out bytes))
            return false;
        BytesReceived += bytes;
        if (Connect is null && packet is MqttConnectPacket connect)
        {
            Connect = connect;
            TakeKeepAlive(connect);
        }
        return true;
    }
    /// <summary>The session layer is about to send another acknowledgement, and nothing holds that one back.</summary>
    private bool IsNextAcknowledgementReady => _acknowledgements.TryPeek(out var next) && next.Commit.IsCompletedSuccessfully;

    private async Task<Acknowledgement> NextAcknowledgementAsync(CancellationToken cancellationToken)
    {
        if (!_acknowledgements.TryDequeue(out var next))
            throw new InvalidOperationException("An acknowledgement without its publish.");
        if (!next.Commit.IsCompletedSuccessfully)
        {
            try
            {
                await next.Commit.WaitAsync(cancellationToken);
            }
            catch (IngestLogFailedException)
            {
                // No acknowledgement will come: the client is to notice, and a stop is not to wait for it.
                Abort("The ingest log has failed.");
                throw;
            }
        }
        _inFlight.Release();
        return next.Answer;
    }

    // The session layer's own watch counts from the last packet handled, by the wall clock: it would end connections that we hold, and
    // all of them when the clock is set. With a keep-alive of 0 it leaves that to us.
    private void TakeKeepAlive(MqttConnectPacket connect)
    {
        if (connect.KeepAlivePeriod > 0)
            _keepAlive = connect.KeepAlivePeriod * TimeSpan.FromSeconds(1.5);
        connect.KeepAlivePeriod = 0;
    }

    private bool IsTooLong(long silentSince) => silentSince != 0 && _keepAlive is { } limit && _time.GetElapsedTime(silentSince) >= limit;

    // Kestrel's heart beats once a second.
    private void WakeWhenSilent()
    {
        if (IsTooLong(Volatile.Read(ref _silentSince)))
            _input.CancelPendingRead();
    }

    private async Task EndSilentAsync(CancellationToken cancellationToken)
    {
        if (Identity is not null && PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500)
        {
            using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(1), _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, cancellationToken);
            await SendPacketAsync(new MqttDisconnectPacket { ReasonCode = MqttDisconnectReasonCode.KeepAliveTimeout }, either.Token);
        }
        throw new MqttCommunicationException("The client was silent for one and a half times its keep-alive.");
    }

    private async Task DrainAsync(CancellationToken cancellationToken)
    {
        // All permits back means that every acknowledgement is out.
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(10), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, cancellationToken, _connection.ConnectionClosed);
        try
        {
            for (var i = 0; i < _options.MqttMaxInFlight; i++)
                await _inFlight.WaitAsync(either.Token);
            if (Identity is not null && PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500)
                await SendPacketAsync(new MqttDisconnectPacket { ReasonCode = MqttDisconnectReasonCode.ServerShuttingDown }, either.Token);
        }
        catch (OperationCanceledException)
        {
            // What is not acknowledged by now the client sends again.
        }
    }

    /// <summary>Before anything is buffered: the fixed header says how much will come.</summary>
    private void CheckSize(in ReadOnlySequence<byte> buffer)
    {
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryRead(out var first))
            return;
        // A stranger's first bytes: anything but CONNECT is not MQTT, and is not waited for.
        if (Connect is null && first != 0x10)
            throw new MqttProtocolViolationException("The first packet is not CONNECT.");
        var length = 0L;
        for (var shift = 0; shift < 28 && reader.TryRead(out var next); shift += 7)
        {
            length |= (long)(next & 127) << shift;
            if (next < 128)
                break;
        }
        var limit = Connect is null ? Math.Min(_options.MqttMaxPacketBytes, 64 * 1024) : _options.MqttMaxPacketBytes;
        if (length > limit)
            throw new MqttProtocolViolationException($"A packet of {length} bytes is over the limit of {limit}.");
    }
}
