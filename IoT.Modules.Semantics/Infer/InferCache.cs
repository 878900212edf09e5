namespace IoT.Modules.Semantics.Infer;

/// <summary>What an answer was made of.</summary>
/// <param name="Subjects">Whose facts it has read.</param>
/// <param name="Version">Of the data, when it was made.</param>
/// <param name="ModelVersion">Of model, rules and registry.</param>
/// <param name="From">Of its time range, UTC ticks; null without one.</param>
internal sealed record AnswerSources(IReadOnlyCollection<string> Subjects, long Version, long ModelVersion, long? From, long? To);

/// <summary>An answer that is kept.</summary>
internal sealed class KeptAnswer(ReadOnlyMemory<byte> inferences, int count, double confidenceScore, AnswerSources sources)
{
    public ReadOnlyMemory<byte> Inferences { get; } = inferences;

    public int Count { get; } = count;

    public double ConfidenceScore { get; } = confidenceScore;

    public AnswerSources Sources { get; } = sources;

    /// <summary>A reading of its time range came later.</summary>
    public bool IsStale { get; set; }

    public long UsedAt { get; set; }
}

/// <summary>
/// Answers by what was asked, as long as nothing that they were made of has changed: the versions of the subjects whose facts they read, of
/// the model and, with a time range, whether readings of that time came. The one that was not asked for longest makes room.
/// </summary>
internal sealed class InferCache(SemanticsOptions options)
{
    // Times of readings that came while an answer over a time was being made; further back, it is not kept.
    private const int KeptSpans = 1_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, KeptAnswer> _answers = new(StringComparer.Ordinal);
    private readonly Queue<(long From, long To)> _spans = new();
    private long _lastSpan;
    private long _uses;
    private long _hits;
    private long _misses;

    public long Hits => Interlocked.Read(ref _hits);

    public long Misses => Interlocked.Read(ref _misses);

    public int Count
    {
        get
        {
            lock (_lock)
                return _answers.Count;
        }
    }

    /// <param name="isCurrent">Whether what it was made of is still so.</param>
    public KeptAnswer? Find(string asked, Func<AnswerSources, bool> isCurrent)
    {
        lock (_lock)
        {
            if (_answers.TryGetValue(asked, out var kept))
            {
                if (!kept.IsStale && isCurrent(kept.Sources))
                {
                    kept.UsedAt = ++_uses;
                    _hits++;
                    return kept;
                }
                _answers.Remove(asked);
            }
            _misses++;
            return null;
        }
    }

    /// <summary>This moment.</summary>
    public long Mark()
    {
        lock (_lock)
            return _lastSpan;
    }

    /// <param name="since">When it began to be made.</param>
    public void Keep(string asked, KeptAnswer answer, long since)
    {
        if (options.CacheSize == 0)
            return;
        lock (_lock)
        {
            var missed = (int)(_lastSpan - since);
            if (answer.Sources.From is not null && (missed > _spans.Count || _spans.TakeLast(missed).Any(span => IsWithin(answer.Sources, span.From, span.To))))
                return;
            answer.UsedAt = ++_uses;
            _answers[asked] = answer;
            if (_answers.Count <= options.CacheSize)
                return;
            // A tenth at a time, so that the search is paid for once in many.
            foreach (var (key, _) in _answers.OrderBy(kept => kept.Value.UsedAt).Take(Math.Max(1, options.CacheSize / 10)).ToList())
                _answers.Remove(key);
        }
    }

    /// <summary>Readings with timestamps from the one to the other came.</summary>
    public void ReadingsCame(long from, long to)
    {
        lock (_lock)
        {
            _lastSpan++;
            _spans.Enqueue((from, to));
            if (_spans.Count > KeptSpans)
                _spans.Dequeue();
            foreach (var kept in _answers.Values)
                kept.IsStale |= IsWithin(kept.Sources, from, to);
        }
    }

    private static bool IsWithin(AnswerSources sources, long from, long to) => sources.From is { } start && sources.To is { } end && from < end && to >= start;
}
