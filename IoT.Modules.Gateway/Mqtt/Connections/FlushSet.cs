namespace IoT.Modules.Gateway.Mqtt.Connections;

/// <summary>
/// Connections that something was written to and not sent yet: whoever handles a run of packets sends at its end, one system call for
/// all that the run brought a subscriber.
/// </summary>
internal sealed class FlushSet : IDisposable
{
    private const int MostKept = 4096;

    [ThreadStatic]
    private static FlushSet? t_spare;

    private readonly List<PacketOutput> _outputs = [];

    public static FlushSet Rent()
    {
        var set = t_spare ?? new FlushSet();
        t_spare = null;
        return set;
    }

    public void Add(PacketOutput output) => _outputs.Add(output);

    public void Flush()
    {
        foreach (var output in _outputs)
            output.Flush();
        _outputs.Clear();
    }

    public void Dispose()
    {
        Flush();
        if (_outputs.Capacity <= MostKept)
            t_spare = this;
    }
}
