using IoT.Modules.Gateway.Ingest;
using Microsoft.AspNetCore.Connections;

namespace IoT.Modules.Gateway;

/// <summary>Lets only so many connections of a protocol be open at once; those over it are counted and closed.</summary>
internal sealed class ConnectionLimit(string protocol, int most, IngestMetrics metrics, TimeProvider time)
{
    // A refused connection may be told why, which takes a moment; so many at once, the others are just closed.
    private const int MostBeingTold = 64;

    private int _open;
    private int _beingTold;

    /// <param name="next">What serves the connection.</param>
    /// <param name="tell">Says to a refused connection in its protocol that it is; null where the protocol has no word for it.</param>
    public async Task HandleAsync(ConnectionContext connection, ConnectionDelegate next, Func<ConnectionContext, TimeProvider, Task>? tell)
    {
        try
        {
            if (Interlocked.Increment(ref _open) <= most)
            {
                await next(connection);
                return;
            }
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }

        metrics.ConnectionRefused(protocol);
        try
        {
            if (Interlocked.Increment(ref _beingTold) <= MostBeingTold && tell is not null)
                await tell(connection, time);
        }
        finally
        {
            Interlocked.Decrement(ref _beingTold);
        }
        connection.Abort(new ConnectionAbortedException("Too many connections."));
    }
}
