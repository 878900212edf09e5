using System.Net;
using System.Net.Sockets;

namespace IoT.Tests.Support;

/// <summary>Loopback ports that nothing listens on, each given out once; below those that the system takes for outgoing connections.</summary>
internal static class FreePort
{
    private const int First = 15_000;
    private const int Count = 15_000;

    private static int _last = Random.Shared.Next(Count);

    public static int Next()
    {
        while (true)
        {
            var port = First + Interlocked.Increment(ref _last) % Count;
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: the next one.
            }
        }
    }
}
