using IoT.Modules.Semantics.Rules;

namespace IoT.Modules.Semantics.Engine;

/// <summary>A pattern of a rule that takes notice of changed facts, and what has changed for it.</summary>
internal sealed class Trigger(CompiledRule rule, AtomPart atom, int part, bool isNested)
{
    public CompiledRule Rule { get; } = rule;

    public AtomPart Atom { get; } = atom;

    /// <summary>Which part of the body.</summary>
    public int Part { get; } = part;

    /// <summary>Within a negation or an aggregation: the body is looked at anew.</summary>
    public bool IsNested { get; } = isNested;

    /// <summary>What the value of the pattern is compared with, when it is used for nothing else.</summary>
    public Thresholds? Threshold { get; } = !isNested && rule.Threshold?.Atom == part ? rule.Threshold : null;

    /// <summary>The pattern stands for all facts of a list, and the list that the rule looks at begins at a node above those that have changed.</summary>
    public bool IsUpward { get; init; }

    public List<int> Lost { get; } = [];

    public List<int> Gained { get; } = [];

    public Plan? Forward { get; set; }

    public Plan? Backward { get; set; }

    /// <summary>Whether a value passes all comparisons.</summary>
    public bool Holds(Builtins builtins, int value)
    {
        foreach (var test in Threshold!.Tests)
        {
            if (!builtins.Test(test.Builtin.Code, Of(test.Arguments[0]), Of(test.Objects[0])))
                return false;
        }
        return true;

        int Of(int operand) => operand == Threshold!.Slot ? value : Rule.Resolve(operand);
    }
}
