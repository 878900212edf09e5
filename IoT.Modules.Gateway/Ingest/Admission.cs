using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>Why a sender may not bring a reading in; each maps to one HTTP status and one MQTT reason code.</summary>
internal enum Denial
{
    None,

    /// <summary>Credentials are needed. 401; 0x87.</summary>
    Unauthenticated,

    /// <summary>Known, and not allowed. 403; 0x87.</summary>
    Forbidden,

    /// <summary>The reading names no device, or another one than its topic. 400; 0x99.</summary>
    WrongDevice,
}

/// <summary>Decides for each parsed reading whose it is and whether its sender may bring it in.</summary>
internal sealed class Admission(DeviceDirectory directory, SecurityOptions security, TimeProvider time)
{
    /// <summary>What of a batch goes on to the log, and what was turned away.</summary>
    internal sealed class Result
    {
        public List<Reading> Readings { get; } = [];

        public List<RejectedReading> Rejected { get; } = [];

        /// <summary>The strongest denial among the rejected: Unauthenticated before Forbidden before the rest.</summary>
        public Denial Denial { get; set; }
    }

    /// <param name="topicDevice">The device that the topic names (MQTT); null where the body decides (HTTP).</param>
    public Result Admit(ParsedBatch batch, Sender sender, string? topicDevice)
    {
        var result = new Result();
        result.Rejected.AddRange(batch.Rejected);
        var now = time.GetUtcNow().UtcDateTime;
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        foreach (var parsed in batch.Readings)
        {
            var denial = Resolve(parsed, sender, topicDevice, out var device, out var error);
            if (denial == Denial.None)
            {
                result.Readings.Add(new Reading(device!, parsed.Timestamp ?? now, parsed.DataType, parsed.Payload));
                continue;
            }
            result.Rejected.Add(new RejectedReading(parsed.Index, error));
            if (result.Denial == Denial.None || denial < result.Denial)
                result.Denial = denial;
        }
        return result;
    }

    /// <summary>Whether the sender may write as the device; for a topic before its payload is looked at.</summary>
    public Denial MayWrite(Sender sender, string deviceId, out DeviceEntry? device, out string error)
    {
        error = "";
        device = sender.Device is { } own && own.Id == deviceId ? own : directory.Find(deviceId);
        switch (sender.Kind)
        {
            case SenderKind.Device when device != sender.Device:
                error = $"device_id: {deviceId} is not the device that these credentials belong to";
                return Denial.Forbidden;
            case SenderKind.Anonymous when !security.AnonymousDevices || device?.TokenHash is not null:
                error = device?.TokenHash is not null ? $"device_id: {deviceId} has a token and needs it" : "credentials are needed";
                return Denial.Unauthenticated;
        }
        if (device is { IsEnabled: false })
        {
            error = $"device_id: {deviceId} is disabled";
            return Denial.Forbidden;
        }
        device ??= directory.FindOrAdd(deviceId);
        return Denial.None;
    }

    private Denial Resolve(ParsedReading parsed, Sender sender, string? topicDevice, out DeviceEntry? device, out string error)
    {
        device = null;
        var deviceId = parsed.DeviceId ?? topicDevice ?? sender.Device?.Id;
        if (deviceId is null)
        {
            error = "device_id: is missing";
            return Denial.WrongDevice;
        }
        if (topicDevice is not null && deviceId != topicDevice)
        {
            error = $"device_id: {deviceId} is not the device of the topic, {topicDevice}";
            return Denial.WrongDevice;
        }
        return MayWrite(sender, deviceId, out device, out error);
    }
}
