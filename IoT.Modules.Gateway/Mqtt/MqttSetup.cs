using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;
using Microsoft.Extensions.DependencyInjection;

namespace IoT.Modules.Gateway.Mqtt;

internal static class MqttSetup
{
    private const long MiB = 1024 * 1024;

    public static void AddMqtt(this IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton<BrokerStateWriter>();
        services.AddSingleton<IBrokerJournal, BrokerJournal>();
        services.AddHostedService(provider => provider.GetRequiredService<BrokerStateWriter>());
        services.AddSingleton<BrokerJournalWriter>();
        services.AddSingleton<BrokerMetrics>();
        services.AddSingleton<TopicCache>();
        services.AddSingleton<TopicTrie>();
        services.AddSingleton(new RetainedStore(options.MqttMaxRetained, options.MqttMaxRetainedMiB * MiB));
        services.AddSingleton<Dispatcher>();
        services.AddSingleton<WillPublisher>();
        services.AddSingleton<SessionServices>();
        services.AddSingleton<SessionStore>();
        services.AddSingleton<MqttAccess>();
        services.AddSingleton<PublishPipeline>();
        services.AddSingleton<IBrokerPublisher, BrokerPublisher>();
        services.AddSingleton<StrangerMemory>();
        services.AddSingleton<Lingering>();
        services.AddSingleton<ConnectionServices>();
        services.AddSingleton<MqttConnectionLimit>();
        services.AddSingleton<MqttListener>();
        services.AddSingleton<SysTopics>();
        services.AddSingleton<MqttBroker>();
        services.AddHostedService(provider => provider.GetRequiredService<MqttBroker>());
    }
}
