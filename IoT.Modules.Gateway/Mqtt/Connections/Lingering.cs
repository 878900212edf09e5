namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <summary>How many connections that are over are read past at once: they hold places that others may want.</summary>
internal sealed class Lingering
{
    private const int Most = 256;

    private int _count;

    /// <summary>False when there are too many: the connection is closed at once.</summary>
    public bool TryBegin()
    {
        if (Interlocked.Increment(ref _count) <= Most)
            return true;
        End();
        return false;
    }

    public void End() => Interlocked.Decrement(ref _count);
}
