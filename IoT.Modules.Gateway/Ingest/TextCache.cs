namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// One string for a text that comes again and again. Two places a text may stand, so its size is fixed and a sender who makes up
/// texts pushes others out for a moment instead of filling memory. Threads may lose each other's entries, never read a wrong one.
/// </summary>
internal sealed class TextCache(int slots = 4096)
{
    // A power of two, so that a hash is masked and a slot's neighbour is the other one of its pair.
    private readonly string?[] _slots = new string?[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(slots, 2))];

    public string Get(ReadOnlySpan<char> text)
    {
        // The runtime's string hash is keyed at random: collisions can't be planned.
        var slot = string.GetHashCode(text) & (_slots.Length - 1);
        var first = _slots[slot];
        if (first is not null && text.SequenceEqual(first))
            return first;
        if (_slots[slot ^ 1] is { } second && text.SequenceEqual(second))
            return second;
        var added = new string(text);
        _slots[slot ^ 1] = first;
        _slots[slot] = added;
        return added;
    }
}
