using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Modules.Gateway.Mqtt.WebSockets;

/// <summary>
/// A WebSocket as the connection that the broker knows from TCP. Where frames begin and end says nothing about packets: a packet may
/// come in many, and a frame may hold many packets.
/// </summary>
internal sealed class WebSocketConnection : ConnectionContext
{
    private const int ReadBytes = 4096;

    // Beyond these the other side waits: reading from the client, and the broker's writes.
    private const int MostUnread = 64 * 1024;
    private const int MostUnsent = 64 * 1024;

    private static readonly TimeSpan LongestGoodbye = TimeSpan.FromSeconds(1);

    private readonly WebSocket _socket;
    private readonly Pipe _received = new(new PipeOptions(pauseWriterThreshold: MostUnread, resumeWriterThreshold: MostUnread / 2, useSynchronizationContext: false));
    private readonly Pipe _toSend = new(new PipeOptions(pauseWriterThreshold: MostUnsent, resumeWriterThreshold: MostUnsent / 2, useSynchronizationContext: false));
    private readonly CancellationTokenSource _closed = new();
    private readonly TimeProvider _time;

    public WebSocketConnection(HttpContext http, WebSocket socket)
    {
        _socket = socket;
        _time = http.RequestServices.GetService(typeof(TimeProvider)) as TimeProvider ?? TimeProvider.System;
        Transport = new Duplex(_received.Reader, _toSend.Writer);
        ConnectionId = http.Connection.Id;
        ConnectionClosed = _closed.Token;
        LocalEndPoint = EndPointOf(http.Connection.LocalIpAddress, http.Connection.LocalPort);
        RemoteEndPoint = EndPointOf(http.Connection.RemoteIpAddress, http.Connection.RemotePort);
        // What the broker asks of a connection of Kestrel's: the stop of the host, and the beat by which it watches for silence.
        Take<IConnectionLifetimeNotificationFeature>(http);
        Take<IConnectionHeartbeatFeature>(http);
    }

    public override string ConnectionId { get; set; }

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    public override IDuplexPipe Transport { get; set; }

    /// <summary>Until the broker is done with the connection, or the client is.</summary>
    public async Task ServeAsync(Func<ConnectionContext, Task> serve)
    {
        var receiving = ReceiveAsync();
        var sending = SendAsync();
        try
        {
            await serve(this);
        }
        finally
        {
            // What the broker has written last goes out; then there is nothing more to be read for.
            await _toSend.Writer.CompleteAsync();
            await _received.Reader.CompleteAsync();
            await SayGoodbyeAsync(sending, receiving);
            await _closed.CancelAsync();
            await sending;
            await receiving;
        }
    }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _closed.Cancel();
        _socket.Abort();
    }

    public override ValueTask DisposeAsync()
    {
        _closed.Dispose();
        return base.DisposeAsync();
    }

    private async Task ReceiveAsync()
    {
        Exception? end = null;
        try
        {
            while (true)
            {
                // Nothing is set aside for a client that is silent.
                await _socket.ReceiveAsync(Memory<byte>.Empty, _closed.Token);
                var frame = await _socket.ReceiveAsync(_received.Writer.GetMemory(ReadBytes), _closed.Token);
                if (frame.MessageType == WebSocketMessageType.Close)
                    break;
                if (frame.MessageType != WebSocketMessageType.Binary)
                {
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.InvalidMessageType, "MQTT comes in binary frames.", _closed.Token);
                    break;
                }
                _received.Writer.Advance(frame.Count);
                // Once the broker is done with it, what still comes is read past, up to the client's close.
                if (frame.Count > 0)
                    await _received.Writer.FlushAsync(_closed.Token);
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or IOException or ConnectionAbortedException or ObjectDisposedException)
        {
            end = new ConnectionResetException("The WebSocket has ended.", exception);
        }
        await _received.Writer.CompleteAsync(end);
    }

    private async Task SendAsync()
    {
        try
        {
            while (true)
            {
                var read = await _toSend.Reader.ReadAsync(_closed.Token);
                foreach (var part in read.Buffer)
                {
                    if (part.Length > 0)
                        await _socket.SendAsync(part, WebSocketMessageType.Binary, endOfMessage: true, _closed.Token);
                }
                _toSend.Reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                    break;
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or IOException or ConnectionAbortedException or ObjectDisposedException)
        {
            // The client is gone; the reading side tells the broker.
            await _closed.CancelAsync();
        }
        await _toSend.Reader.CompleteAsync();
    }

    // Closed with something unread or unanswered, the connection would be reset, and the last packets lost with it.
    private async Task SayGoodbyeAsync(Task sending, Task receiving)
    {
        using var enough = new CancellationTokenSource(LongestGoodbye, _time);
        try
        {
            await sending.WaitAsync(enough.Token);
            if (_socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
                return;
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, enough.Token);
            await receiving.WaitAsync(enough.Token);
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // Gone already, or not interested.
        }
    }

    private void Take<TFeature>(HttpContext http)
        where TFeature : class
    {
        if (http.Features.Get<TFeature>() is { } feature)
            Features.Set(feature);
    }

    private static IPEndPoint? EndPointOf(IPAddress? address, int port) => address is null ? null : new IPEndPoint(address, port);

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
