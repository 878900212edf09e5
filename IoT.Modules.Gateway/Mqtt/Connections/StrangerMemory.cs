namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <summary>What all connections that have not signed in may make the platform keep of what they send, together.</summary>
internal sealed class StrangerMemory
{
    private const long MostBytes = 16 * 1024 * 1024;

    private long _bytes;

    /// <summary>False when it would be too much: the connection is to end. Giving back always succeeds.</summary>
    /// <param name="held">What the connection holds so far.</param>
    /// <param name="wanted">What it holds now.</param>
    public bool TryHold(ref long held, long wanted)
    {
        var change = wanted - held;
        if (change == 0)
            return true;
        held = wanted;
        return Interlocked.Add(ref _bytes, change) <= MostBytes || change < 0;
    }
}
