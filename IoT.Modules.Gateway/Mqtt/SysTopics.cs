using System.Globalization;
using System.Reflection;
using System.Text;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>The broker's counters under <c>$SYS/broker/</c>, by Mosquitto's names: retained, and published again when they have changed.</summary>
internal sealed class SysTopics(MqttListener listener, SessionStore sessions, TopicTrie trie, RetainedStore retained, Dispatcher dispatcher, BrokerMetrics metrics, TopicCache topics, TimeProvider time)
{
    private static readonly string Version = typeof(SysTopics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private readonly Dictionary<string, string> _published = new(StringComparer.Ordinal);
    private readonly long _startedAt = time.GetTimestamp();

    /// <summary>Now and then; by one caller at a time.</summary>
    public void Publish()
    {
        using var flush = FlushSet.Rent();
        foreach (var (name, value) in Values())
        {
            if (_published.GetValueOrDefault(name) == value)
                continue;
            _published[name] = value;
            var topic = topics.Get(Encoding.UTF8.GetBytes($"$SYS/broker/{name}"))!;
            var message = Message.Of(topic, Encoding.UTF8.GetBytes(value), 0, true, null, time);
            // Not in the broker's state on disk: after a restart they are others.
            retained.Set(message);
            using var plan = dispatcher.Plan(message, null);
            plan.SetsRetained = false;
            plan.Deliver(null, flush);
        }
    }

    private IEnumerable<(string Name, string Value)> Values()
    {
        var traffic = listener.Traffic;
        var connected = sessions.All.Count(session => session.Connection is not null);
        var total = sessions.Count;
        yield return ("version", $"IoT platform {Version}");
        yield return ("uptime", Text((long)time.GetElapsedTime(_startedAt).TotalSeconds));
        yield return ("clients/connected", Text(connected));
        yield return ("clients/disconnected", Text(total - connected));
        yield return ("clients/total", Text(total));
        yield return ("clients/maximum", Text(listener.Most));
        yield return ("messages/received", Text(traffic.MessagesReceived));
        yield return ("messages/sent", Text(traffic.MessagesSent));
        yield return ("messages/stored", Text(sessions.All.Sum(session => (long)session.Backlog) + retained.Count));
        yield return ("publish/messages/received", Text(traffic.PublishesReceived));
        yield return ("publish/messages/sent", Text(traffic.PublishesSent));
        yield return ("publish/messages/dropped", Text(metrics.DroppedCount + metrics.CutCount));
        yield return ("bytes/received", Text(traffic.BytesReceived));
        yield return ("bytes/sent", Text(traffic.BytesSent));
        yield return ("subscriptions/count", Text(trie.Count));
        yield return ("retained messages/count", Text(retained.Count));
        yield return ("heap/current", Text(GC.GetTotalMemory(forceFullCollection: false)));
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
