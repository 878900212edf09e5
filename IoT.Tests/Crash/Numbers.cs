using System.Globalization;
using IoT.Tests.Support;

namespace IoT.Tests.Crash;

/// <summary>
/// A device's readings, numbered from 1 in the order in which they are sent, each sent once; and which of them were acknowledged. Every
/// second one carries a message_id, or none does: one without shows a replay that an id would hide.
/// </summary>
internal sealed class Numbers(TestDevice device, bool withIds = true)
{
    private readonly HashSet<int> _acknowledged = [];
    private int _sent;

    public TestDevice Device => device;

    public int Sent => Volatile.Read(ref _sent);

    public IReadOnlyList<int> Acknowledged
    {
        get
        {
            lock (_acknowledged)
                return [.. _acknowledged];
        }
    }

    public int AcknowledgedCount
    {
        get
        {
            lock (_acknowledged)
                return _acknowledged.Count;
        }
    }

    public int Next() => Interlocked.Increment(ref _sent);

    public void Acknowledge(int number)
    {
        lock (_acknowledged)
            _acknowledged.Add(number);
    }

    /// <param name="number">Of the reading.</param>
    /// <param name="filler">Text that makes it larger.</param>
    public string Body(int number, string filler = "") => string.Create(
        CultureInfo.InvariantCulture,
        $$$"""{"device_id":"{{{device.Id}}}","data_type":"crash",{{{(withIds && number % 2 == 0 ? $"\"message_id\":\"{device.Id}-{number}\"," : "")}}}"payload":{"n":{{{number}}},"filler":"{{{filler}}}"}}""");
}
