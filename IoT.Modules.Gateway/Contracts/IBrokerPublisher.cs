namespace IoT.Modules.Gateway.Contracts;

/// <summary>Publishes on the MQTT broker as the platform itself: on any topic, <c>inferences/</c> and commands among them.</summary>
public interface IBrokerPublisher
{
    /// <summary>
    /// Hands the message to the subscribers. Completes when it is as safe as its QoS promises: with 1 and 2 when what waits for sessions
    /// that outlive their connection is on disk; with 0 at once.
    /// </summary>
    /// <param name="message">What to publish.</param>
    /// <param name="cancellationToken">Ends the wait for room in the ingest log, or for the disk.</param>
    /// <exception cref="ArgumentException">The topic is empty, has wildcards, or more than 200 levels.</exception>
    ValueTask PublishAsync(BrokerPublish message, CancellationToken cancellationToken = default);
}

/// <summary>A message of the platform.</summary>
/// <param name="Topic">A topic name, without wildcards.</param>
/// <param name="Payload">Kept as it is until the last subscriber has it: not to be changed afterwards.</param>
/// <param name="Qos">0, 1 or 2: the highest that a subscriber gets it with. Default 1.</param>
/// <param name="Retain">Whether it stays as its topic's retained message; with an empty payload it takes that away. Default false.</param>
/// <param name="ExpirySeconds">After how many seconds nobody gets it any more; null: never.</param>
public sealed record BrokerPublish(string Topic, ReadOnlyMemory<byte> Payload, int Qos = 1, bool Retain = false, uint? ExpirySeconds = null);
