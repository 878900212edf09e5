using System.Threading.Channels;
using IoT.Modules.Gateway.Mqtt.Sessions;

namespace IoT.Modules.Gateway.Mqtt.Delivery;

/// <summary>Wills that are to be published, one after the other: a publish may have to wait for the log, and who ends a session may not.</summary>
internal sealed class WillPublisher(BrokerMetrics metrics)
{
    private const int MostWaiting = 100_000;

    private readonly Channel<SessionWill> _wills = Channel.CreateBounded<SessionWill>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.DropOldest }, _ => metrics.WillDropped());

    public void Publish(SessionWill will) => _wills.Writer.TryWrite(will);

    /// <summary>No more follow.</summary>
    public void Complete() => _wills.Writer.TryComplete();

    public IAsyncEnumerable<SessionWill> ReadAsync(CancellationToken cancellationToken) => _wills.Reader.ReadAllAsync(cancellationToken);
}
