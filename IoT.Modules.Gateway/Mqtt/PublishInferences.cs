using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Semantics.Contracts;
using MediatR;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>Tells MQTT subscribers of inferences, on <c>inferences/{entity_type}/{entity_id}</c>, at least once.</summary>
internal sealed class PublishInferences(IBrokerPublisher broker) : INotificationHandler<InferenceChanged>
{
    public Task Handle(InferenceChanged notification, CancellationToken cancellationToken) =>
        broker.PublishAsync(new BrokerPublish(notification.Topic, notification.Json), cancellationToken).AsTask();
}
