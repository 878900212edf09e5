using IoT.Modules.Semantics.Inferences;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>A fact that is derived and not asserted.</summary>
/// <param name="Rule">The last rule of its best derivation.</param>
/// <param name="Delays">That rule's.</param>
internal readonly record struct DerivedFact(InferenceKey Key, double Confidence, string Rule, RuleDelays Delays);

/// <summary>What one commit has done.</summary>
/// <param name="Appeared">Derived now and not before.</param>
/// <param name="Changed">Derived before and now, in another degree.</param>
/// <param name="Vanished">Derived before and no longer.</param>
/// <param name="Subjects">Whose facts are others now, asserted ones included.</param>
/// <param name="IsPlacing">Something is somewhere else now.</param>
internal sealed record KnowledgeChange(
    IReadOnlyList<DerivedFact> Appeared, IReadOnlyList<DerivedFact> Changed, IReadOnlyList<InferenceKey> Vanished, IReadOnlyCollection<string> Subjects, bool IsPlacing);
