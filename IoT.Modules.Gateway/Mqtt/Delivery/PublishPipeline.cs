using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Mqtt.Routing;
using IoT.Modules.Gateway.Mqtt.Sessions;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Mqtt.Delivery;

/// <summary>Who publishes.</summary>
/// <param name="IsVersion5">It can be told what is wrong.</param>
/// <param name="Session">Null: of none.</param>
/// <param name="Connection">Null for a will: it can't be held.</param>
internal readonly record struct PublishSource(MqttIdentity Identity, bool IsVersion5, Session? Session, MqttConnection? Connection);

/// <summary>What came of a publish.</summary>
/// <param name="Commit">What its acknowledgement waits for; null: nothing.</param>
/// <param name="Text">For the reason string; null: none.</param>
internal readonly record struct PublishOutcome(Task? Commit, Reason Reason = Reason.Success, string? Text = null);

/// <summary>
/// A publish from its packet to the ingest log and the subscribers. Readings and what subscribers' queues get of them are one batch of
/// the log; the acknowledgement waits for it.
/// </summary>
internal sealed partial class PublishPipeline(
    MqttAccess access, Admission admission, ReadingParser parser, Intake intake, Ledger ledger, IngestMetrics metrics,
    Dispatcher dispatcher, TimeProvider time, ILogger<PublishPipeline> logger)
{
    // Then it is asked again: another connection of the device may have been quicker.
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(1);

    /// <param name="change">What else of the broker's state goes with it when it is taken; null: nothing.</param>
    public ValueTask<PublishOutcome> TakeAsync(PublishSource source, PublishTopic topic, PublishPacket packet, BrokerChange? change, FlushSet flush, CancellationToken cancellationToken)
    {
        if (topic.IsDeviceData)
            return TakeReadingsAsync(source, topic, packet, change, flush, cancellationToken);
        if (!access.MayPublish(source.Identity, topic.Name))
            return new(new PublishOutcome(null, Reason.NotAuthorized, "Not allowed on this topic."));
        if (packet.IsBadText)
            return new(new PublishOutcome(null, Reason.PayloadFormatInvalid, "The payload is not the UTF-8 that it says it is."));
        return DeliverAsync(source, topic, packet, change, flush, cancellationToken);
    }

    /// <summary>A publish over the packet limit, of which only the beginning came. Its connection ends: that tells MQTT 5, and no other, why.</summary>
    /// <param name="payloadBytes">How long its payload would be.</param>
    public async ValueTask TurnAwayTooLargeAsync(PublishSource source, PublishTopic topic, PublishPacket beginning, long payloadBytes, string text, CancellationToken cancellationToken)
    {
        if (!topic.IsDeviceData || !DeviceId.IsValid(topic.DeviceId!))
            return;
        var denied = "Not allowed on this topic.";
        if (source.Identity.Sender is not { } sender || admission.MayWrite(sender, topic.DeviceId!, out _, out denied) != Denial.None)
            text = denied;
        else
            metrics.Received("mqtt", 1);
        await TurnAwayAsync(source, topic, beginning, null, Reason.PacketTooLarge, text, cancellationToken, payloadBytes);
    }

    /// <summary>Of the platform itself: on any topic.</summary>
    public async ValueTask PublishAsync(Message message, CancellationToken cancellationToken)
    {
        using var flush = FlushSet.Rent();
        using var plan = dispatcher.Plan(message, null);
        var commit = plan.Change() is { } taken ? (await intake.AppendAsync([], null, [taken], cancellationToken)).Committed : null;
        plan.Deliver(commit, flush);
        if (message.Qos > 0 && commit is not null)
            await commit.WaitAsync(cancellationToken);
    }

    /// <summary>A will: as if its client had published it now.</summary>
    public async ValueTask PublishAsync(SessionWill will, PublishTopic topic, CancellationToken cancellationToken)
    {
        if (access.Identify(will.Scope) is not { } publisher)
            return;
        var packet = new PublishPacket((byte)(will.Packet.Qos << 1 | (will.Packet.IsRetain ? 1 : 0)), 0, topic.Utf8, null, will.Packet.ExpirySeconds, will.Packet.Properties, false, false, will.Packet.Payload);
        using var flush = FlushSet.Rent();
        // Its sender can't be told any more what is wrong with it.
        await TakeAsync(new PublishSource(publisher, IsVersion5: false, null, null), topic, packet, null, flush, cancellationToken);
    }

    private async ValueTask<PublishOutcome> DeliverAsync(PublishSource source, PublishTopic topic, PublishPacket packet, BrokerChange? change, FlushSet flush, CancellationToken cancellationToken)
    {
        if (!dispatcher.IsWanted(topic, packet.IsRetain))
        {
            var alone = change is null ? null : (await intake.AppendAsync([], null, [change], cancellationToken)).Committed;
            return new PublishOutcome(alone, Unmatched(packet));
        }
        using var plan = dispatcher.Plan(Message.Of(packet, topic, time), source.Session);
        var changes = Changes(change, plan);
        var commit = changes is null ? null : (await intake.AppendAsync([], null, changes, cancellationToken)).Committed;
        plan.Deliver(commit, flush, source.Session, Unreleased(packet));
        return new PublishOutcome(commit, !plan.IsMatched ? Unmatched(packet) : Reason.Success);

        static Reason Unmatched(in PublishPacket packet) => packet.Qos == 1 ? Reason.NoMatchingSubscribers : Reason.Success;
    }

    private async ValueTask<PublishOutcome> TakeReadingsAsync(PublishSource source, PublishTopic topic, PublishPacket packet, BrokerChange? change, FlushSet flush, CancellationToken cancellationToken)
    {
        var deviceId = topic.DeviceId!;
        if (!DeviceId.IsValid(deviceId))
            return new PublishOutcome(null, Reason.TopicNameInvalid, $"The topic's device id is not {DeviceId.Rule}.");
        var denied = "Not allowed on this topic.";
        if (source.Identity.Sender is not { } sender || admission.MayWrite(sender, deviceId, out var device, out denied) != Denial.None)
            return await TurnAwayAsync(source, topic, packet, change, Reason.NotAuthorized, denied, cancellationToken);

        var batch = parser.ParseJson(packet.Payload);
        metrics.Received("mqtt", batch.Count);
        if (batch.TooMany)
            return await TurnAwayAsync(source, topic, packet, change, Reason.QuotaExceeded, "Too many readings in one message.", cancellationToken);
        if (batch.Count == 0)
            return await TurnAwayAsync(source, topic, packet, change, Reason.PayloadFormatInvalid, "The message holds no reading.", cancellationToken);

        // A will comes from a connection that has ended already: it can't wait, and a stranger's is no way to make devices up.
        var isWill = source.Connection is null;
        var admitted = admission.Admit(batch, sender, deviceId, mayOwe: source.Connection?.IsClosing ?? device is not null);
        if (admitted.OverRate > 0 && !isWill)
        {
            // What the connection reads while it waits takes the packet's memory.
            packet = packet with { Payload = packet.Payload.ToArray(), Properties = packet.Properties.ToArray() };
            batch = parser.ParseJson(packet.Payload);
            admitted = await HoldAsync(source.Connection!, batch, sender, deviceId, admitted, cancellationToken);
        }
        return await AppendAsync(source, topic, packet, change, admitted, flush, cancellationToken);
    }

    private async ValueTask<PublishOutcome> AppendAsync(
        PublishSource source, PublishTopic topic, PublishPacket packet, BrokerChange? change, Admission.Result admitted, FlushSet flush, CancellationToken cancellationToken)
    {
        var deviceId = topic.DeviceId!;
        if (admitted.Rejected.Count > 0)
            LogRejected(deviceId, admitted.Rejected.Count, admitted.Rejected[0].Error);
        List<QuarantineEntry>? quarantine = null;
        if (!IsQuarantined(source))
        {
            Rejected(source, deviceId, admitted.Rejected.Count);
        }
        else if (admitted.Rejected.Count > 0)
        {
            quarantine = [];
            for (var i = 0; i < admitted.Rejected.Count; i++)
                quarantine.Add(EntryOf(source, topic, admitted.Rejected[i].Error, admitted.RejectedBytes[i]));
        }
        if (admitted.Readings.Count + (quarantine?.Count ?? 0) == 0)
            return new PublishOutcome(null, Reason.PayloadFormatInvalid, Describe(admitted.Rejected));

        using var plan = admitted.Readings.Count > 0 && dispatcher.IsWanted(topic, packet.IsRetain) ? dispatcher.Plan(Message.Of(packet, topic, time), source.Session) : null;
        // A PUBREC that says no ends the exchange: the packet id is free again.
        var isRefused = source.IsVersion5 && admitted.Rejected.Count > 0;
        var changes = Changes(isRefused ? null : change, plan);
        // Waits for room when there is none: the connection is read no further meanwhile.
        Taken taken;
        try
        {
            taken = await intake.AppendAsync(admitted.Readings, quarantine, changes, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            admission.Withdraw(admitted);
            throw;
        }
        plan?.Deliver(taken.Committed, flush, source.Session, isRefused ? (ushort)0 : Unreleased(packet));
        // What was good is taken; the code tells the sender of the rest, which sending again would not help.
        return admitted.Rejected.Count == 0
            ? new PublishOutcome(taken.Committed)
            : new PublishOutcome(taken.Committed, Reason.PayloadFormatInvalid, Describe(admitted.Rejected));
    }

    /// <summary>Holds the connection while the device is over its rate: the publish is late, and nothing is dropped.</summary>
    private async ValueTask<Admission.Result> HoldAsync(MqttConnection connection, ParsedBatch batch, Sender sender, string deviceId, Admission.Result admitted, CancellationToken cancellationToken)
    {
        metrics.Throttled("mqtt", admitted.OverRate);
        metrics.Held(1);
        try
        {
            do
            {
                await connection.HoldAsync(admitted.Wait < LongestHold ? admitted.Wait : LongestHold);
                cancellationToken.ThrowIfCancellationRequested();
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
    private async ValueTask<PublishOutcome> TurnAwayAsync(
        PublishSource source, PublishTopic topic, PublishPacket packet, BrokerChange? change, Reason reason, string text, CancellationToken cancellationToken,
        long? payloadBytes = null)
    {
        if (!IsQuarantined(source))
        {
            Rejected(source, topic.DeviceId!, 1);
            return new PublishOutcome(null, reason, text);
        }
        var entry = EntryOf(source, topic, text, packet.Payload);
        if (payloadBytes is { } length)
            entry = entry with { Length = length };
        var taken = await intake.AppendAsync([], [entry], change is null ? null : [change], cancellationToken);
        return new PublishOutcome(taken.Committed, reason, text);
    }

    private static ushort Unreleased(in PublishPacket packet) => packet.Qos == 2 ? packet.PacketId : (ushort)0;

    private static List<BrokerChange>? Changes(BrokerChange? change, DeliveryPlan? plan)
    {
        var taken = plan?.Change();
        return (change, taken) switch
        {
            (null, null) => null,
            (null, _) => [taken],
            (_, null) => [change],
            _ => [change, taken],
        };
    }

    private void Rejected(PublishSource source, string topicDevice, int count)
    {
        if (count == 0)
            return;
        metrics.Rejected("mqtt", count);
        var sender = source.Identity.Sender;
        ledger.Rejected(sender is { Kind: SenderKind.Admin } ? admission.IsKnown(topicDevice) ? topicDevice : Ledger.Others : sender?.Device?.Id ?? Ledger.Others, count);
    }

    /// <summary>3.1.1 has no codes to tell a sender what is wrong. Nothing is kept from strangers, nor from those who may only read.</summary>
    private static bool IsQuarantined(PublishSource source) => !source.IsVersion5 && source.Identity.Sender is { Kind: not SenderKind.Anonymous };

    /// <summary>Under the device whose credentials were shown; what an admin sends, under the topic's.</summary>
    private QuarantineEntry EntryOf(PublishSource source, PublishTopic topic, string reason, ReadOnlyMemory<byte> bytes) =>
        QuarantineEntry.Of(source.Identity.Sender?.Device?.Id ?? topic.DeviceId!, topic.Name, "mqtt", time.GetUtcNow().UtcDateTime, reason, bytes);

    private static string Describe(List<RejectedReading> rejected)
    {
        var first = rejected[0];
        return $"{rejected.Count} rejected; [{first.Index}] {(first.Error.Length <= 200 ? first.Error : first.Error[..200])}";
    }

    [LoggerMessage(2100, LogLevel.Warning, "Device {DeviceId}: {Count} readings rejected, the first because {Error}")]
    private partial void LogRejected(string deviceId, int count, string error);
}
