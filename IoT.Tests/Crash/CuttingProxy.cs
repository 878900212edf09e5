using System.Net;
using System.Net.Sockets;

namespace IoT.Tests.Crash;

/// <summary>
/// Stands between the host and PostgreSQL and cuts connections when the answer to a write has come and before it is passed on: PostgreSQL
/// has committed, and the host can't know.
/// </summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _connections = [];
    private readonly Random _random;
    private readonly int _target;
    private readonly Task _accepting;
    private int _cuts;

    public CuttingProxy(int target, int seed)
    {
        _target = target;
        _random = new Random(seed);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many connections were cut.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>Whether it does so now, with about every second write.</summary>
    public bool IsCutting { get; set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _connections.Add(ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        using var server = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var isWrite = false;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target, ended.Token);
            var (near, far) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(
                PumpAsync(near, far, bytes =>
                {
                    if (bytes.Span.IndexOf("insert into device_data"u8) >= 0)
                        Volatile.Write(ref isWrite, true);
                    return true;
                }, ended.Token),
                PumpAsync(far, near, _ =>
                {
                    if (!Volatile.Read(ref isWrite) || !IsCutting)
                        return true;
                    Volatile.Write(ref isWrite, false);
                    lock (_random)
                    {
                        if (_random.Next(2) == 0)
                            return true;
                    }
                    Interlocked.Increment(ref _cuts);
                    return false;
                }, ended.Token));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // One side has gone.
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    private static async Task PumpAsync(NetworkStream from, NetworkStream to, Func<ReadOnlyMemory<byte>, bool> goesOn, CancellationToken cancellationToken)
    {
        var buffer = new byte[256 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, cancellationToken) is > 0 and var read && goesOn(buffer.AsMemory(0, read)))
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side has gone.
        }
    }
}
