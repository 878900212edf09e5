using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>
/// The broker: MQTTnet's session layer with our sign-in, access and ingest. A publish to <c>devices/{id}/data</c> goes into the
/// ingest log and the next one is read; its acknowledgement is held back by the <see cref="MqttConnection"/>.
/// </summary>
internal sealed partial class MqttBroker(
    MqttListener listener, MqttAccess access, Admission admission, ReadingParser parser, Intake intake, Ledger ledger, IngestMetrics metrics, TimeProvider time, ILogger<MqttBroker> logger)
    : IHostedService, INotificationHandler<DeviceAccessChanged>, INotificationHandler<ApiKeyRemoved>, IDisposable
{
    // Then it is asked again: another connection of the device may have been quicker.
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(1);

    private readonly MqttServer _server = new MqttServerFactory().CreateMqttServer(
        new MqttServerOptionsBuilder()
            .WithoutDefaultEndpoint()
            .WithPersistentSessions()
            .WithMaxPendingMessagesPerClient(10_000)
            // Also how long a socket may take to send CONNECT.
            .WithDefaultCommunicationTimeout(TimeSpan.FromSeconds(5))
            .Build(),
        [listener],
        new MqttLogBridge(logger));

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _server.ValidatingConnectionAsync += SignInAsync;
        _server.InterceptingPublishAsync += PublishAsync;
        _server.InterceptingSubscriptionAsync += SubscribeAsync;
        _server.InterceptingClientEnqueueAsync += DeliverAsync;
        await _server.StartAsync();
    }

    public Task StopAsync(CancellationToken cancellationToken) =>
        _server.StopAsync(new MqttServerStopOptions { DefaultClientDisconnectOptions = new() { ReasonCode = MqttDisconnectReasonCode.ServerShuttingDown } });

    public void Dispose() => _server.Dispose();

    /// <summary>Connections made with a credential that has ended end too.</summary>
    public Task Handle(DeviceAccessChanged notification, CancellationToken cancellationToken) =>
        EndConnectionsOf(MqttIdentity.ScopeOfDevice(notification.DeviceId), "The device's access has changed.");

    public Task Handle(ApiKeyRemoved notification, CancellationToken cancellationToken) =>
        EndConnectionsOf(MqttIdentity.ScopeOfKey(notification.Name), "The API key has ended.");

    private Task EndConnectionsOf(string scope, string reason)
    {
        foreach (var connection in listener.Connections)
        {
            if (connection.Identity?.Scope == scope)
                connection.Abort(reason);
        }
        return Task.CompletedTask;
    }

    private Task SignInAsync(ValidatingConnectionEventArgs args)
    {
        var connection = (MqttConnection)args.ChannelAdapter;
        var clientId = args.ClientId;
        if (string.IsNullOrEmpty(clientId))
        {
            if (args.ProtocolVersion != MqttProtocolVersion.V500 && args.CleanSession != true)
            {
                args.ReasonCode = MqttConnectReasonCode.ClientIdentifierNotValid;
                return Task.CompletedTask;
            }
            connection.Connect!.ClientId = clientId = Guid.NewGuid().ToString("N");
            if (args.ProtocolVersion == MqttProtocolVersion.V500)
                args.AssignedClientIdentifier = clientId;
        }
        if (access.SignIn(args.UserName, args.RawPassword, connection.CertifiedDevice) is not { } identity)
        {
            args.ReasonCode = string.IsNullOrEmpty(args.UserName) ? MqttConnectReasonCode.NotAuthorized : MqttConnectReasonCode.BadUserNameOrPassword;
            return Task.CompletedTask;
        }
        // The broker keys sessions by client id alone; qualified by the credential, one can't take another's over.
        connection.Connect!.ClientId = identity.Qualify(clientId);
        connection.Identity = identity;
        return Task.CompletedTask;
    }

    private async Task PublishAsync(InterceptingPublishEventArgs args)
    {
        var connection = MqttConnection.Current!;
        // The session layer publishes a will with a token that can't be cancelled; nobody waits for its acknowledgement.
        var isAcknowledged = args.ApplicationMessage.QualityOfServiceLevel > MqttQualityOfServiceLevel.AtMostOnce && args.CancellationToken.CanBeCanceled;
        if (isAcknowledged)
            await connection.ReserveAsync(args.CancellationToken);

        var (commit, answer, isDelivered) = await TakeAsync(connection, args);
        args.ProcessPublish = isDelivered;
        if (isAcknowledged)
            connection.Acknowledge(commit ?? Task.CompletedTask, answer);
    }

    /// <summary>What the acknowledgement waits for, null when nothing is taken; how it is answered; and whether subscribers get it.</summary>
    private async ValueTask<(Task? Commit, Acknowledgement Answer, bool IsDelivered)> TakeAsync(MqttConnection connection, InterceptingPublishEventArgs args)
    {
        var identity = connection.Identity!;
        var topic = args.ApplicationMessage.Topic;
        if (!MqttTopics.IsValidName(topic))
        {
            args.CloseConnection = true;
            return Refuse(MqttPubAckReasonCode.TopicNameInvalid, "The topic is not one to publish to.");
        }
        if (!MqttTopics.IsDeviceData(topic, out var deviceId))
            return access.MayPublish(identity, topic) ? (Task.CompletedTask, Acknowledgement.Success, true) : Refuse(MqttPubAckReasonCode.NotAuthorized, "Not allowed on this topic.");

        if (!DeviceId.IsValid(deviceId))
            return Refuse(MqttPubAckReasonCode.TopicNameInvalid, $"The topic's device id is not {DeviceId.Rule}.");
        var denied = "Not allowed on this topic.";
        if (identity.Sender is not { } sender || admission.MayWrite(sender, deviceId, out var device, out denied) != Denial.None)
        {
            return await TurnAwayAsync(connection, args, deviceId, MqttPubAckReasonCode.NotAuthorized, denied);
        }

        var batch = parser.ParseJson(PayloadOf(args.ApplicationMessage));
        metrics.Received("mqtt", batch.Count);
        if (batch.TooMany)
            return await TurnAwayAsync(connection, args, deviceId, MqttPubAckReasonCode.QuotaExceeded, "Too many readings in one message.");
        if (batch.Count == 0)
            return await TurnAwayAsync(connection, args, deviceId, MqttPubAckReasonCode.PayloadFormatInvalid, "The message holds no reading.");
        var admitted = await AdmitAsync(connection, batch, sender, deviceId, device is not null, args.CancellationToken);
        if (admitted.Rejected.Count > 0)
            LogRejected(deviceId, admitted.Rejected.Count, admitted.Rejected[0].Error);
        List<QuarantineEntry> quarantine = [];
        if (IsQuarantined(connection))
        {
            for (var i = 0; i < admitted.Rejected.Count; i++)
                quarantine.Add(EntryOf(connection, topic, deviceId, admitted.Rejected[i].Error, admitted.RejectedBytes[i]));
        }
        else
        {
            Rejected(connection, deviceId, admitted.Rejected.Count);
        }
        if (admitted.Readings.Count + quarantine.Count == 0)
            return Refuse(MqttPubAckReasonCode.PayloadFormatInvalid, Describe(admitted.Rejected));

        // Waits for room when there is none: the connection is read no further meanwhile.
        Taken taken;
        try
        {
            taken = await intake.AppendAsync(admitted.Readings, quarantine, args.CancellationToken);
        }
        catch (OperationCanceledException)
        {
            admission.Withdraw(admitted);
            throw;
        }
        // What was good is taken; the code tells the sender of the rest, which sending again would not help.
        return (taken.Committed, admitted.Rejected.Count == 0 ? Acknowledgement.Success : new Acknowledgement(MqttPubAckReasonCode.PayloadFormatInvalid, Describe(admitted.Rejected)), admitted.Readings.Count > 0);
    }

    /// <summary>Holds the connection while the device is over its rate: the publish is late, and nothing is dropped.</summary>
    private async ValueTask<Admission.Result> AdmitAsync(MqttConnection connection, ParsedBatch batch, Sender sender, string deviceId, bool isKnown, CancellationToken cancellationToken)
    {
        // A will comes from a connection that has ended already, with a token that can't be cancelled: it can't wait, and a stranger's
        // is no way to make devices up.
        var isWill = !cancellationToken.CanBeCanceled;
        var admitted = admission.Admit(batch, sender, deviceId, mayOwe: connection.IsClosing || (isWill && isKnown));
        if (admitted.OverRate == 0 || isWill)
            return admitted;
        metrics.Throttled("mqtt", admitted.OverRate);
        metrics.Held(1);
        try
        {
            do
            {
                await connection.HoldAsync(admitted.Wait < LongestHold ? admitted.Wait : LongestHold, cancellationToken);
                // What has been read when the host stops is taken in and acknowledged.
                admitted = admission.Admit(batch, sender, deviceId, mayOwe: connection.IsClosing);
            }
            while (admitted.OverRate > 0);
            return admitted;
        }
        finally
        {
            metrics.Held(-1);
        }
    }

    /// <summary>A whole publish that is not taken: answered in MQTT 5; kept, durably, when its sender can't be told.</summary>
    private async ValueTask<(Task? Commit, Acknowledgement Answer, bool IsDelivered)> TurnAwayAsync(
        MqttConnection connection, InterceptingPublishEventArgs args, string deviceId, MqttPubAckReasonCode code, string reason)
    {
        if (!IsQuarantined(connection))
        {
            Rejected(connection, deviceId, 1);
            return Refuse(code, reason);
        }
        var entry = EntryOf(connection, args.ApplicationMessage.Topic, deviceId, reason, PayloadOf(args.ApplicationMessage));
        var taken = await intake.AppendAsync([], [entry], args.CancellationToken);
        return (taken.Committed, new Acknowledgement(code, reason), false);
    }

    private void Rejected(MqttConnection connection, string topicDevice, int count)
    {
        metrics.Rejected("mqtt", count);
        var sender = connection.Identity!.Sender;
        ledger.Rejected(sender is { Kind: SenderKind.Admin } ? admission.IsKnown(topicDevice) ? topicDevice : Ledger.Others : sender?.Device?.Id ?? Ledger.Others, count);
    }

    /// <summary>3.1.1 has no codes to tell a sender what is wrong. Nothing is kept from strangers, nor from those who may only read.</summary>
    private static bool IsQuarantined(MqttConnection connection) =>
        connection.PacketFormatterAdapter.ProtocolVersion != MqttProtocolVersion.V500 && connection.Identity!.Sender is { Kind: not SenderKind.Anonymous };

    /// <summary>Under the device whose credentials were shown; what an admin sends, under the topic's.</summary>
    private QuarantineEntry EntryOf(MqttConnection connection, string topic, string topicDevice, string reason, ReadOnlyMemory<byte> bytes) =>
        QuarantineEntry.Of(connection.Identity!.Sender?.Device?.Id ?? topicDevice, topic, "mqtt", time.GetUtcNow().UtcDateTime, reason, bytes);

    private static (Task?, Acknowledgement, bool) Refuse(MqttPubAckReasonCode code, string reason) => (null, new Acknowledgement(code, reason), false);

    private static string Describe(List<RejectedReading> rejected)
    {
        var first = rejected[0];
        return $"{rejected.Count} rejected; [{first.Index}] {(first.Error.Length <= 200 ? first.Error : first.Error[..200])}";
    }

    private static ReadOnlyMemory<byte> PayloadOf(MqttApplicationMessage message) =>
        message.Payload.IsSingleSegment ? message.Payload.First : System.Buffers.BuffersExtensions.ToArray(message.Payload);

    private Task SubscribeAsync(InterceptingSubscriptionEventArgs args)
    {
        var connection = MqttConnection.Current!;
        var filter = args.TopicFilter.Topic;
        var isVersion5 = connection.PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500;
        if (!MqttTopics.IsValidFilter(filter))
        {
            args.ProcessSubscription = false;
            args.CloseConnection = !isVersion5;
            args.Response.ReasonCode = MqttSubscribeReasonCode.TopicFilterInvalid;
        }
        else if (!access.MaySubscribe(connection.Identity!, filter))
        {
            args.ProcessSubscription = false;
            // 3.1.1 knows one code for failure.
            args.Response.ReasonCode = isVersion5 ? MqttSubscribeReasonCode.NotAuthorized : MqttSubscribeReasonCode.UnspecifiedError;
        }
        return Task.CompletedTask;
    }

    private static Task DeliverAsync(InterceptingClientApplicationMessageEnqueueEventArgs args)
    {
        args.AcceptEnqueue = MqttAccess.MayReceive(args.ReceiverClientId, args.ApplicationMessage.Topic);
        return Task.CompletedTask;
    }

    [LoggerMessage(2100, LogLevel.Warning, "Device {DeviceId}: {Count} readings rejected, the first because {Error}")]
    private partial void LogRejected(string deviceId, int count, string error);
}
