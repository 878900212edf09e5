using System.Text;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Mqtt.Routing;

namespace IoT.Modules.Gateway.Mqtt.Delivery;

/// <summary>The platform's own publishes.</summary>
internal sealed class BrokerPublisher(PublishPipeline pipeline, TopicCache topics, TimeProvider time) : IBrokerPublisher
{
    public ValueTask PublishAsync(BrokerPublish message, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(message.Qos, nameof(message));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(message.Qos, 2, nameof(message));
        if (topics.Get(Encoding.UTF8.GetBytes(message.Topic), out var fault) is not { } topic)
            throw new ArgumentException(fault.What, nameof(message));
        return pipeline.PublishAsync(Message.Of(topic, message.Payload, (byte)message.Qos, message.Retain, message.ExpirySeconds, time), cancellationToken);
    }
}
