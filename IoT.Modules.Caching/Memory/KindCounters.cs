using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Modules.Caching.Contracts;

namespace IoT.Modules.Caching.Memory;

/// <summary>What one kind came to. Hits in memory are counted by processor, so that they don't pass a cache line around.</summary>
internal sealed class KindCounters(CacheKind kind)
{
    private const int Stripes = 16;

    private readonly Stripe[] _memoryHits = new Stripe[Stripes];

    public long MemoryMisses;
    public long RedisHits;
    public long RedisMisses;
    public long DatabaseHits;
    public long DatabaseMisses;
    public long Computed;
    public long Joined;
    public long NotKept;

    public CacheKind Kind => kind;

    public long MemoryHits
    {
        get
        {
            var sum = 0L;
            for (var i = 0; i < Stripes; i++)
                sum += Volatile.Read(ref _memoryHits[i].Count);
            return sum;
        }
    }

    /// <summary>Answers how many there were before on this stripe.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long MemoryHit() => Interlocked.Increment(ref _memoryHits[Thread.GetCurrentProcessorId() & (Stripes - 1)].Count);

    public CacheKindStatus Status() => new(
        kind.Name, kind.Version, kind.Reach.ToString().ToLowerInvariant(), MemoryHits, Volatile.Read(ref MemoryMisses), Volatile.Read(ref RedisHits), Volatile.Read(ref RedisMisses),
        Volatile.Read(ref DatabaseHits), Volatile.Read(ref DatabaseMisses), Volatile.Read(ref Computed), Volatile.Read(ref Joined), Volatile.Read(ref NotKept));

    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Stripe
    {
        [FieldOffset(0)]
        public long Count;
    }
}
