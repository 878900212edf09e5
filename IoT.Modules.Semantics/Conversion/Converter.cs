using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Reasoning;

namespace IoT.Modules.Semantics.Conversion;

/// <summary>The profiles that hold, and which values they map: looked at again when models or devices have changed.</summary>
internal sealed class Converter(LatestValues latest)
{
    private Profiles _profiles = Profiles.None;
    private long _readAt = -1;

    public Profiles Profiles => Volatile.Read(ref _profiles);

    /// <summary>Share of the values received that a profile maps, 0 to 1; 1 before the first.</summary>
    public double Rate => latest.Received == 0 ? 1 : (double)latest.Converted / latest.Received;

    /// <summary>In one's turn.</summary>
    /// <param name="version">Of models, rules and registry.</param>
    public void Follow(Knowledge knowledge, long version)
    {
        if (version == _readAt)
            return;
        _readAt = version;
        var profiles = Profiles.Read(knowledge);
        Volatile.Write(ref _profiles, profiles);
        latest.MarkConverted(profiles.IsMapped);
    }
}
