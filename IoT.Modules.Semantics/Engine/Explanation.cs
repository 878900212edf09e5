using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Why a fact holds: the rule and the premises that it stands on, down to what is asserted. A premise that stands in several places is
/// one object. What is not there (<c>log:notIncludes</c>) is no premise.
/// </summary>
/// <param name="Tag">What an asserted fact was asserted with.</param>
/// <param name="Rule">Null when it is asserted.</param>
/// <param name="Bindings">The rule's variables.</param>
internal sealed record Explanation(Triple Fact, double Degree, bool IsAsserted, long Tag, RuleInfo? Rule, IReadOnlyList<Binding> Bindings, IReadOnlyList<Explanation> Premises);

/// <param name="Variable">Without the question mark.</param>
internal readonly record struct Binding(string Variable, Term Value);

/// <summary>One step of a derivation, by rows.</summary>
internal sealed record Derivation(int Row, CompiledRule? Rule, int[] Values, IReadOnlyList<int> Premises);
