using System.Collections.Concurrent;
using MQTTnet;
using MQTTnet.Diagnostics.PacketInspection;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>The CONNACK said no.</summary>
internal sealed class MqttRefusedException(MqttClientConnectResultCode code) : Exception($"The platform refuses the connection: {code}")
{
    public MqttClientConnectResultCode Code { get; } = code;
}

/// <summary>An MQTT client that remembers what it got and in which order it was acknowledged.</summary>
internal sealed class MqttUser : IAsyncDisposable
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly TaskCompletionSource<MqttClientDisconnectedEventArgs> _disconnected = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MqttUser()
    {
        _client.DisconnectedAsync += args =>
        {
            _disconnected.TrySetResult(args);
            return Task.CompletedTask;
        };
        _client.ApplicationMessageReceivedAsync += args =>
        {
            Received.Enqueue((args.ApplicationMessage.Topic, args.ApplicationMessage.ConvertPayloadToString()));
            return Task.CompletedTask;
        };
    }

    /// <summary>Topic and payload of each message, as delivered.</summary>
    public ConcurrentQueue<(string Topic, string Payload)> Received { get; } = new();

    /// <summary>Packet ids of the PUBACKs, as they came in.</summary>
    public ConcurrentQueue<int> Acknowledged { get; } = new();

    public bool IsConnected => _client.IsConnected;

    public Task<MqttClientDisconnectedEventArgs> Disconnected => _disconnected.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);

    public static async Task<MqttUser> ConnectAsync(
        Platform platform, string? user, string? password, MqttProtocolVersion version = MqttProtocolVersion.V500, string? clientId = null, bool watchAcknowledgements = false)
    {
        var mqtt = new MqttUser();
        if (watchAcknowledgements)
            mqtt._client.InspectPacketAsync += mqtt.InspectAsync;
        var options = new MqttClientOptionsBuilder()
            .WithTcpServer("127.0.0.1", platform.MqttPort)
            .WithProtocolVersion(version)
            .WithClientId(clientId ?? Platform.NewId("client"))
            .WithTimeout(TimeSpan.FromSeconds(60));
        if (user is not null)
            options.WithCredentials(user, password);
        try
        {
            var answer = await mqtt._client.ConnectAsync(options.Build(), TestContext.Current.CancellationToken);
            if (answer.ResultCode != MqttClientConnectResultCode.Success)
                throw new MqttRefusedException(answer.ResultCode);
        }
        catch
        {
            await mqtt.DisposeAsync();
            throw;
        }
        return mqtt;
    }

    public Task<MqttClientPublishResult> PublishAsync(string topic, string payload, MqttQualityOfServiceLevel quality = MqttQualityOfServiceLevel.AtLeastOnce) =>
        _client.PublishAsync(
            new MqttApplicationMessageBuilder().WithTopic(topic).WithPayload(payload).WithQualityOfServiceLevel(quality).Build(),
            TestContext.Current.CancellationToken);

    public async Task<MqttClientSubscribeResultCode> SubscribeAsync(string filter)
    {
        var result = await _client.SubscribeAsync(
            new MqttClientSubscribeOptionsBuilder().WithTopicFilter(filter, MqttQualityOfServiceLevel.AtLeastOnce).Build(), TestContext.Current.CancellationToken);
        return result.Items.Single().ResultCode;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _client.DisconnectAsync(new MqttClientDisconnectOptions(), CancellationToken.None);
        }
        catch (Exception)
        {
            // The platform may have gone, or ended the connection: that is what some tests are about.
        }
        _client.Dispose();
    }

    private Task InspectAsync(InspectMqttPacketEventArgs args)
    {
        const byte pubAck = 0x40;
        if (args.Direction == MqttPacketFlowDirection.Inbound && args.Buffer is [pubAck, _, var high, var low, ..])
            Acknowledged.Enqueue(high << 8 | low);
        return Task.CompletedTask;
    }
}
