using IoT.Modules.Semantics.Inferences;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>A fact that is derived and not asserted.</summary>
/// <param name="Rule">The last rule of its best derivation.</param>
internal readonly record struct DerivedFact(InferenceKey Key, double Confidence, string Rule);

/// <summary>What one commit has done.</summary>
/// <param name="Appeared">Derived now and not before, or in another degree.</param>
/// <param name="Vanished">Derived before and no longer.</param>
/// <param name="Subjects">Whose facts are others now, asserted ones included.</param>
/// <param name="IsPlacing">Something is somewhere else now.</param>
internal sealed record ReasonerChange(IReadOnlyList<DerivedFact> Appeared, IReadOnlyList<InferenceKey> Vanished, IReadOnlyCollection<string> Subjects, bool IsPlacing)
{
    public static ReasonerChange None { get; } = new([], [], [], false);
}
