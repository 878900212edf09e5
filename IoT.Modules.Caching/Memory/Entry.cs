namespace IoT.Modules.Caching.Memory;

/// <summary>A value in memory.</summary>
/// <param name="slots">The generations that it depends on.</param>
/// <param name="stamp">Their sum before it was computed.</param>
/// <param name="checkedAt">When that was, by the monotonic clock.</param>
internal abstract class Entry(int[] slots, long stamp, long checkedAt)
{
    public readonly int[] Slots = slots;

    public readonly long Stamp = stamp;

    public readonly long CheckedAt = checkedAt;
}

internal sealed class Entry<T>(T value, int[] slots, long stamp, long checkedAt) : Entry(slots, stamp, checkedAt)
{
    public readonly T Value = value;
}
