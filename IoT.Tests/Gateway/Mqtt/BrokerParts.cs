using IoT.Tests.Support;
using System.Diagnostics.Metrics;
using System.Text;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Tests.Gateway.Mqtt;

/// <summary>Parts of the broker by themselves, without a log or a connection.</summary>
internal sealed class BrokerParts : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private long _lastSession;

    public BrokerParts(GatewayOptions? options = null)
    {
        var metrics = new BrokerMetrics(new IngestMetrics(_services.GetRequiredService<IMeterFactory>()), Time, NullLogger<BrokerMetrics>.Instance);
        Services = new SessionServices(new BrokerJournalWriter(Journal), metrics, options ?? new GatewayOptions(), Time);
    }

    public ManualTime Time { get; } = new();

    public MemoryJournal Journal { get; } = new();

    public TopicTrie Trie { get; } = new();

    public SessionServices Services { get; }

    public Session NewSession(string scope = "key:k", uint expirySeconds = 0) =>
        new(++_lastSession, scope, $"client {_lastSession}", Services) { ExpirySeconds = expirySeconds, IsDurable = expirySeconds > 0 };

    public Subscription Subscribe(Session session, string filter, byte options = 0, uint id = 0)
    {
        var subscription = new Subscription(session, filter, options, id);
        Trie.Set(subscription, session.Subscribe(subscription));
        return subscription;
    }

    public Message NewMessage(string topic, string payload = "x", byte qos = 1, bool isRetain = false, uint? expirySeconds = null) =>
        Message.Of(PublishTopic.Of(Encoding.UTF8.GetBytes(topic), out _)!, Encoding.UTF8.GetBytes(payload), qos, isRetain, expirySeconds, Time);

    public void Dispose() => _services.Dispose();

    internal sealed class MemoryJournal : IBrokerJournal
    {
        private TaskCompletionSource? _room;

        public List<BrokerChange> Changes { get; } = [];

        public void Fill() => _room = new();

        /// <summary>Who waits for room comes in before this returns.</summary>
        public void Empty()
        {
            var room = _room;
            _room = null;
            room?.SetResult();
        }

        public Task<BrokerSnapshot> LoadAsync(CancellationToken cancellationToken) => Task.FromResult(BrokerSnapshot.Empty);

        public bool TryAppend(IReadOnlyList<BrokerChange> changes, out Task committed)
        {
            committed = Task.CompletedTask;
            if (_room is not null)
                return false;
            Changes.AddRange(changes);
            return true;
        }

        public async Task AppendAsync(IReadOnlyList<BrokerChange> changes, CancellationToken cancellationToken = default)
        {
            await (_room?.Task ?? Task.CompletedTask);
            Changes.AddRange(changes);
        }
    }
}
