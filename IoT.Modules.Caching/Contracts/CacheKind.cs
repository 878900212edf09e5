using System.Buffers;

namespace IoT.Modules.Caching.Contracts;

/// <summary>How far down the levels something goes.</summary>
public enum CacheReach
{
    /// <summary>L1, this host's memory, alone.</summary>
    Memory,

    /// <summary>And L2, Redis, where one is configured.</summary>
    Redis,

    /// <summary>And L3, the database's cache table.</summary>
    Database,
}

/// <summary>What may be done with a value that was computed.</summary>
public enum CacheVerdict
{
    /// <summary>Keep it.</summary>
    Keep,

    /// <summary>It says that there is nothing: keep it for the short time of such answers, in memory alone.</summary>
    KeepBriefly,

    /// <summary>Don't: a failure that passes, an answer that is too large.</summary>
    Discard,
}

/// <summary>
/// What a module keeps in the cache under one name. Make one, static, for each. Nothing that depends on who asks may be kept under a key
/// that does not name who asks: everybody who is let in gets the same value.
/// </summary>
public abstract class CacheKind
{
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_");

    private static int _last = -1;

    private protected CacheKind(string module, string name, int version, CacheReach reach)
    {
        foreach (var part in new[] { module, name })
        {
            if (part.Length == 0 || part.AsSpan().ContainsAnyExcept(NameCharacters))
                throw new ArgumentException($"'{part}' is no name of a kind: a-z 0-9 - _", nameof(name));
        }
        Name = $"{module}.{name}";
        Version = version;
        Reach = reach;
        Prefix = FormattableString.Invariant($"{module}:{name}:{version}:");
        Number = Interlocked.Increment(ref _last);
    }

    /// <summary><c>module.name</c>, as metrics call it.</summary>
    public string Name { get; }

    /// <summary>Of the value's binary form and meaning: another version never sees this one's values.</summary>
    public int Version { get; }

    public CacheReach Reach { get; }

    /// <summary>Every key's beginning: <c>module:name:version:</c>.</summary>
    public string Prefix { get; }

    /// <summary>Instead of <c>Caching__L1TtlSeconds</c>; null: as set.</summary>
    public TimeSpan? MemoryTtl { get; init; }

    /// <summary>Instead of <c>Caching__L2TtlSeconds</c>; null: as set.</summary>
    public TimeSpan? RedisTtl { get; init; }

    /// <summary>Instead of <c>Caching__L3TtlSeconds</c>; null: as set.</summary>
    public TimeSpan? DatabaseTtl { get; init; }

    internal int Number { get; }
}

/// <inheritdoc/>
/// <typeparam name="T">The value; must not change once it is cached, since everybody gets the same object.</typeparam>
public sealed class CacheKind<T> : CacheKind
{
    /// <summary>Values that stay in memory.</summary>
    /// <param name="module">The module's name, a-z 0-9 - _.</param>
    /// <param name="name">Likewise; unique within the module.</param>
    /// <param name="sizeOf">Bytes that a value takes in memory, about.</param>
    public CacheKind(string module, string name, Func<T, long> sizeOf)
        : base(module, name, 1, CacheReach.Memory) => SizeOf = sizeOf;

    /// <summary>Values that also go to lower levels.</summary>
    /// <param name="codec">Their binary form; raise <paramref name="version"/> with every change of it.</param>
    public CacheKind(string module, string name, int version, CacheReach reach, ICacheCodec<T> codec, Func<T, long> sizeOf)
        : base(module, name, version, reach) => (Codec, SizeOf) = (codec, sizeOf);

    /// <summary>Null for kinds that stay in memory.</summary>
    public ICacheCodec<T>? Codec { get; }

    public Func<T, long> SizeOf { get; }

    /// <summary>What may be done with a value; without it, everything is kept.</summary>
    public Func<T, CacheVerdict>? Judge { get; init; }
}

/// <summary>The binary form of a value: the same bytes for the same value, on every machine and in every release of one version.</summary>
public interface ICacheCodec<T>
{
    void Write(BinaryWriter writer, T value);

    /// <summary>May throw for bytes that it has not written: that is a miss.</summary>
    T Read(BinaryReader reader);
}
