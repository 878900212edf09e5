namespace IoT.Modules.Semantics.Live;

/// <summary>The latest value of one device's member.</summary>
internal sealed class LatestValue(LiveDevice device, Metric metric)
{
    public LiveDevice Device { get; } = device;

    public Metric Metric { get; } = metric;

    public LiveValue Value { get; set; }

    /// <summary>Of its reading, UTC.</summary>
    public long Ticks { get; set; } = long.MinValue;

    public long ReadingId { get; set; }

    /// <summary>Whether it waits to become a fact.</summary>
    public bool IsPending { get; set; }

    /// <summary>Whether it waits to be written to the database.</summary>
    public bool IsUnsaved { get; set; }

    /// <summary>The reading that the engine's fact came from; the engine's turn alone writes it.</summary>
    public (long Ticks, long ReadingId) Applied { get; set; }

    /// <summary>Whether its device's type has a profile that maps it.</summary>
    public bool IsConverted { get; set; }

    /// <summary>Values that came while there was none.</summary>
    public long Unmapped { get; set; }
}

/// <summary>A device that has values, in the registry or not.</summary>
internal sealed class LiveDevice(Guid uuid)
{
    public Guid Uuid { get; } = uuid;

    /// <summary>Null until it is known: a device that was taken out of the registry has values and no name.</summary>
    public string? Id { get; set; }

    public string? Iri { get; set; }

    public string? Type { get; set; }

    public string? Location { get; set; }

    /// <summary>Only then are its values facts.</summary>
    public bool IsRegistered { get; set; }

    /// <summary>Whether it waits for its registry facts to be brought up to date.</summary>
    public bool IsPending { get; set; }

    public Dictionary<Metric, LatestValue> Values { get; } = [];
}

/// <summary>What has changed since it was taken last: devices first, then values.</summary>
internal sealed record LiveChanges(IReadOnlyList<LiveDeviceState> Devices, IReadOnlyList<LiveValueState> Values);

/// <summary>A device's facts as they were when they were taken.</summary>
internal readonly record struct LiveDeviceState(LiveDevice Device, bool IsRegistered, string? Type, string? Location);

/// <summary>A value as it was when it was taken.</summary>
internal readonly record struct LiveValueState(LatestValue Entry, LiveValue Value, long Ticks, long ReadingId);
