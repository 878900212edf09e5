namespace IoT.Modules.Caching.Contracts;

/// <summary>
/// Something that values depend on: they are gone when it is invalidated. Tags share 16,384 generations by their hash, so one may take a
/// few values of others with it; it never leaves one of its own.
/// </summary>
public readonly record struct CacheTag
{
    private CacheTag(int slot, CacheReach reach) => (Slot, Reach) = (slot, reach);

    /// <summary>How far down it may be used: a value may go no further than its tags. A tag that is invalidated with every reading should stay in memory.</summary>
    public CacheReach Reach { get; }

    /// <summary>What every value has.</summary>
    public static CacheTag Everything { get; } = new(Memory.Generations.Everything, CacheReach.Database);

    internal int Slot { get; }

    /// <param name="group">What it is about, such as <c>readings</c>.</param>
    /// <param name="name">Which one, such as a device's id; the tag's text is <c>group:name</c>.</param>
    public static CacheTag Of(string group, ReadOnlySpan<char> name, CacheReach reach) =>
        new(Memory.Generations.SlotOf(group, name), reach);

    /// <summary>By its text, as an admin writes it.</summary>
    internal static CacheTag Parse(string text) => new(Memory.Generations.SlotOf(text, []), CacheReach.Database);
}
