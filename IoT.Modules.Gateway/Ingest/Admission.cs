using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>Why a sender may not bring a reading in; each maps to one HTTP status and one MQTT reason code.</summary>
internal enum Denial
{
    None,

    /// <summary>The device is over its rate, or too many new ones turn up: it may come again later. 429; MQTT waits instead.</summary>
    OverRate,

    /// <summary>Credentials are needed. 401; 0x87.</summary>
    Unauthenticated,

    /// <summary>Known, and not allowed. 403; 0x87.</summary>
    Forbidden,

    /// <summary>The reading names no device, or another one than its topic. 400; 0x99.</summary>
    WrongDevice,
}

/// <summary>Decides for each parsed reading whose it is and whether its sender may bring it in.</summary>
internal sealed class Admission(DeviceDirectory directory, SecurityOptions security, DeviceRates rates, TimeProvider time)
{
    /// <summary>What of a batch goes on to the log, and what was turned away.</summary>
    /// <param name="most">How many readings there may be.</param>
    internal sealed class Result(int most)
    {
        public List<Reading> Readings { get; } = new(most);

        public List<RejectedReading> Rejected { get; } = [];

        /// <summary>What was sent as each of the rejected: slices of the body.</summary>
        public List<ReadOnlyMemory<byte>> RejectedBytes { get; } = [];

        /// <summary>
        /// The strongest denial among the rejected: OverRate, of which coming again makes good, before Unauthenticated before Forbidden
        /// before the rest.
        /// </summary>
        public Denial Denial { get; set; }

        /// <summary>How many of the rejected were over their rate.</summary>
        public int OverRate { get; set; }

        /// <summary>When the last of those may come again.</summary>
        public TimeSpan Wait { get; set; }

        /// <summary>What the first of those was told.</summary>
        public string? WaitReason { get; set; }

        /// <summary>Devices that were not known before; null: none.</summary>
        public List<DeviceEntry>? NewDevices { get; set; }
    }

    /// <param name="topicDevice">The device that the topic names (MQTT); null where the body decides (HTTP).</param>
    /// <param name="mayOwe">Whether a device over its rate gets in all the same, deeper into debt, and a new one too: what can't wait.</param>
    /// <param name="receivedAt">The timestamp of readings that have none; null: now.</param>
    public Result Admit(ParsedBatch batch, Sender sender, string? topicDevice, bool mayOwe = false, DateTime? receivedAt = null)
    {
        var shares = new Shares(rates, mayOwe);
        var result = new Result(batch.Readings.Count);
        result.Rejected.AddRange(batch.Rejected);
        for (var place = 0; place < batch.Rejected.Count; place++)
            result.RejectedBytes.Add(batch.BytesOfRejected(place));
        var now = receivedAt ?? time.GetUtcNow().UtcDateTime;
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        foreach (var parsed in batch.Readings)
        {
            var denial = Resolve(parsed, sender, topicDevice, out var device, out var error);
            if (denial == Denial.None)
                denial = Share(parsed.DeviceId ?? topicDevice ?? sender.Device!.Id, sender, ref device, ref shares, result, out error);
            if (denial == Denial.None)
            {
                result.Readings.Add(new Reading(device!, parsed.Timestamp ?? now, parsed.DataType, parsed.Payload, parsed.MessageId));
                continue;
            }
            result.Rejected.Add(new RejectedReading(parsed.Index, error));
            result.RejectedBytes.Add(parsed.Bytes);
            if (result.Denial == Denial.None || denial < result.Denial)
                result.Denial = denial;
        }
        return result;
    }

    /// <summary>Whether there is such a device.</summary>
    public bool IsKnown(string deviceId) => directory.Find(deviceId) is not null;

    /// <summary>What was admitted could not be taken in after all: as if it had never come.</summary>
    public void Withdraw(Result admitted)
    {
        foreach (var reading in admitted.Readings)
            rates.TakeMore(reading.Device, -1);
        foreach (var device in admitted.NewDevices ?? [])
            directory.Forget(device);
    }

    /// <summary>
    /// Whether the sender may write as the device; for a topic before its payload is looked at. Null is a device that is not known
    /// yet: nothing is kept of it before its first reading is admitted.
    /// </summary>
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
        return Denial.None;
    }

    /// <summary>Takes the reading from its device's share; makes the device known that is not yet.</summary>
    private Denial Share(string deviceId, Sender sender, ref DeviceEntry? device, ref Shares shares, Result result, out string error)
    {
        var wait = TimeSpan.Zero;
        error = "";
        if (device is null)
        {
            // An admin may make as many devices as he likes anyway.
            if (sender.Kind != SenderKind.Admin && !rates.TryTakeNew(out wait) && !shares.MayOwe)
                error = $"device_id: {deviceId} is new, and too many new devices have come of late; send again in {Seconds(wait)} s";
            else
            {
                wait = TimeSpan.Zero;
                (result.NewDevices ??= []).Add(device = directory.FindOrAdd(deviceId));
            }
        }
        if (device is not null && !shares.TryTake(device, out wait, out error))
            error = error.Length > 0 ? error : shares.Remember($"device_id: {deviceId} is over its rate; send again in {Seconds(wait)} s");
        if (wait == TimeSpan.Zero)
            return Denial.None;
        result.OverRate++;
        result.WaitReason ??= error;
        if (wait > result.Wait)
            result.Wait = wait;
        return Denial.OverRate;

        static long Seconds(TimeSpan wait) => (long)Math.Ceiling(wait.TotalSeconds);
    }

    /// <summary>
    /// The shares of the devices of one request: its first reading decides for all of a device's, so that a batch larger than the
    /// burst gets in once. Most requests are of one device; only another one makes the table.
    /// </summary>
    private struct Shares(DeviceRates rates, bool mayOwe)
    {
        private DeviceEntry? _device;
        private (TimeSpan Wait, string Error) _verdict;
        private Dictionary<DeviceEntry, (TimeSpan Wait, string Error)>? _others;

        public readonly bool MayOwe => mayOwe;

        public bool TryTake(DeviceEntry device, out TimeSpan wait, out string error)
        {
            if (device != _device)
                TurnTo(device);
            else if (_verdict.Wait == TimeSpan.Zero)
                rates.TakeMore(device, 1);
            (wait, error) = _verdict;
            return wait == TimeSpan.Zero;
        }

        /// <summary>The same text for all readings of the device.</summary>
        public string Remember(string error) => _verdict.Error = error;

        private void TurnTo(DeviceEntry device)
        {
            if (_device is not null)
                (_others ??= [])[_device] = _verdict;
            _device = device;
            if (_others is not null && _others.TryGetValue(device, out _verdict))
            {
                if (_verdict.Wait == TimeSpan.Zero)
                    rates.TakeMore(device, 1);
                return;
            }
            _verdict = (TimeSpan.Zero, "");
            if (mayOwe)
                rates.Take(device, 1);
            else if (!rates.TryTake(device, 1, out var wait))
                _verdict = (wait, "");
        }
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
