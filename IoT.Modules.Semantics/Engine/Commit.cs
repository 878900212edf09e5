using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>What a change has come to. Until it is disposed of, the terms of what has vanished can be read.</summary>
internal sealed class Commit(EngineError? error, IReadOnlyList<FactChange> derived, IReadOnlyList<TripleId> asserted, IDisposable? lease) : IDisposable
{
    /// <summary>Why nothing has changed; null: it holds.</summary>
    public EngineError? Error { get; } = error;

    /// <summary>Facts that are derived and not asserted, and were not, or no longer, or in another degree.</summary>
    public IReadOnlyList<FactChange> Derived { get; } = derived;

    /// <summary>Facts that are asserted and were not, or no longer.</summary>
    public IReadOnlyList<TripleId> Asserted { get; } = asserted;

    public void Dispose() => lease?.Dispose();
}

/// <summary>What a change would come to.</summary>
internal sealed record CheckResult(EngineError? Error, long Appear, long Vanish);

internal enum FactKind
{
    All,
    Asserted,

    /// <summary>And not asserted.</summary>
    Derived,
}

/// <param name="Degree">0 when there is no such fact.</param>
/// <param name="Rule">The last rule of its best derivation; null when it is asserted.</param>
/// <param name="Tag">What it was asserted with.</param>
internal readonly record struct FactState(bool Exists, bool IsAsserted, double Degree, RuleInfo? Rule, long Tag);

internal readonly record struct FactRow(TripleId Fact, bool IsAsserted, double Degree, RuleInfo? Rule);

/// <summary>Facts as they were at one moment. Until it is disposed of, their terms can be read.</summary>
internal sealed class FactSnapshot(IReadOnlyList<FactRow> rows, IDisposable lease) : IReadOnlyList<FactRow>, IDisposable
{
    public int Count => rows.Count;

    public FactRow this[int index] => rows[index];

    public IEnumerator<FactRow> GetEnumerator() => rows.GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose() => lease.Dispose();
}
