using System.Security.Cryptography;
using System.Text;
using IoT.Modules.Caching.Contracts;

namespace IoT.Modules.Semantics.Infer;

/// <summary>What an answer was made of: the versions of <see cref="Reasoning.Versions"/> when it was.</summary>
/// <param name="Read">Whose facts it has read, and the sets of rules that it names.</param>
/// <param name="Version">The moment.</param>
/// <param name="IsPlaced">It was asked for a location: it depends on where everything is.</param>
/// <param name="Over">Its time range, UTC ticks; then readings of that time count, and everything that is no reading. Null: the facts of now.</param>
internal sealed record AnswerSources(IReadOnlyCollection<string> Read, long Version, bool IsPlaced, (long From, long To)? Over);

/// <summary>An answer that is kept.</summary>
internal sealed record KeptAnswer(ReadOnlyMemory<byte> Inferences, int Count, double ConfidenceScore, AnswerSources Sources);

/// <summary>
/// Answers by what was asked, in the cache's memory. Whether what one was made of is still so is looked at when it is found: what an answer
/// has read is known only when it is made. Over <c>Semantics__CacheSize</c> the one that was not asked for longest goes.
/// </summary>
internal sealed class InferCache(TieredCache cache, SemanticsOptions options)
{
    private static readonly CacheKind<KeptAnswer> Kind = new("semantics", "infer", answer => answer.Inferences.Length + 500 + answer.Sources.Read.Sum(name => 50L + (2 * name.Length)));

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<string>> _nodes = new(StringComparer.Ordinal);
    private readonly LinkedList<string> _byUse = new();
    private long _hits;
    private long _misses;

    public long Hits => Interlocked.Read(ref _hits);

    public long Misses => Interlocked.Read(ref _misses);

    public int Count
    {
        get
        {
            lock (_lock)
                return _nodes.Count;
        }
    }

    /// <summary>What was asked as a key of the cache.</summary>
    public static string KeyOf(string asked) => asked.Length <= TieredCache.MaxKeyLength ? asked : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(asked)));

    /// <param name="isCurrent">Whether what it was made of is still so.</param>
    public KeptAnswer? Find(string key, Func<AnswerSources, bool> isCurrent)
    {
        if (options.CacheSize > 0 && cache.TryGet(Kind, key, out var kept) && isCurrent(kept.Sources))
        {
            Interlocked.Increment(ref _hits);
            Use(key);
            return kept;
        }
        Interlocked.Increment(ref _misses);
        return null;
    }

    public async Task KeepAsync(string key, KeptAnswer answer, CancellationToken cancellationToken)
    {
        if (options.CacheSize == 0)
            return;
        // It takes the place of one that is not current any more.
        if (cache.TryGet(Kind, key, out _))
            cache.Invalidate(Kind, key);
        await cache.GetAsync(Kind, key, [], answer, static (made, _) => Task.FromResult(made), cancellationToken);
        if (Use(key) is { } unused)
            cache.Invalidate(Kind, unused);
    }

    // Answers the key that goes for it; null: none.
    private string? Use(string key)
    {
        lock (_lock)
        {
            if (_nodes.TryGetValue(key, out var node))
            {
                _byUse.Remove(node);
                _byUse.AddLast(node);
                return null;
            }
            _nodes.Add(key, _byUse.AddLast(key));
            if (_nodes.Count <= options.CacheSize)
                return null;
            var unused = _byUse.First!.Value;
            _byUse.RemoveFirst();
            _nodes.Remove(unused);
            return unused;
        }
    }
}
