using IoT.Modules.Semantics.Rules;

namespace IoT.Modules.Semantics.Engine;

/// <summary>What to do with each way to satisfy a body.</summary>
internal enum Goal : byte
{
    /// <summary>The heads hold.</summary>
    Derive,

    /// <summary>The heads lose this support, if it is the one that they stand on.</summary>
    Undermine,

    /// <summary>It holds a given fact up.</summary>
    Support,

    /// <summary>There is one: enough.</summary>
    Exists,

    /// <summary>One more for the list.</summary>
    Gather,
}

/// <summary>How the rows of a pattern are found.</summary>
internal enum Access : byte
{
    /// <summary>Those given: what has changed.</summary>
    Given,
    Exact,
    SubjectPredicate,
    ObjectPredicate,
    Predicate,
    Subject,
    Object,
    All,
}

/// <summary>What a position of a pattern does with a row's term.</summary>
internal enum Use : byte
{
    /// <summary>Equal by the way that the row was found.</summary>
    None,

    /// <summary>Must be the constant or the variable's value.</summary>
    Compare,

    /// <summary>Becomes the variable's value.</summary>
    Bind,
}

internal abstract record Step;

/// <param name="IsBefore">Only rows from before the change: the pattern stands before the one that the change is taken from.</param>
/// <param name="Part">Which part of the body it is: there its degree counts. -1: it is no premise.</param>
internal sealed record ScanStep(int S, int P, int O, Access Access, Use UseS, Use UseP, Use UseO, bool IsBefore, int Part) : Step;

internal sealed record TestStep(BuiltinCode Code, int Left, int Right) : Step;

/// <param name="Result">Operand of the result.</param>
/// <param name="Binds">It becomes a variable's value; otherwise it is compared.</param>
internal sealed record FunctionStep(BuiltinCode Code, int[] Arguments, bool IsList, int Result, bool Binds) : Step;

internal sealed record MembersStep(int[] Items, bool IsList, int Member, bool Binds) : Step;

/// <param name="List">Operand of the node that begins the list.</param>
/// <param name="Members">The variable that becomes the list of its members.</param>
/// <param name="Path">The variable that becomes which way it was read.</param>
internal sealed record WalkStep(int List, int Members, int Path, int Part) : Step;

/// <summary>Goes on when a head may have something to lose: a fact as far as its terms are known by now.</summary>
internal sealed record StandsStep(HeadKey[] Heads) : Step
{
    public override string ToString() => $"s{string.Join(',', Heads)}";
}

/// <summary>What is known of a head: 0 of a term that isn't known yet; the predicate always is.</summary>
/// <param name="HasS">The subject is known.</param>
/// <param name="HasO">The object is known.</param>
internal readonly record struct HeadKey(int S, int P, int O, bool HasS, bool HasO);

internal sealed record AbsentStep(Plan Inner) : Step;

internal sealed record GatherStep(Plan Inner, int List, bool Binds, int Part) : Step;

/// <summary>The order in which a body is evaluated, for one purpose.</summary>
internal sealed class Plan(CompiledRule rule, Goal goal, Step[] steps, int head = 0, int template = 0)
{
    public CompiledRule Rule { get; } = rule;

    public Goal Goal { get; } = goal;

    public Step[] Steps { get; } = steps;

    /// <summary>Which head is to be supported.</summary>
    public int Head { get; } = head;

    /// <summary>What is gathered.</summary>
    public int Template { get; } = template;

    /// <summary>The parts whose degrees count, in the order of the body: products come out the same whatever the order of the steps.</summary>
    public int[] Premises { get; } = [.. steps.Select(PartOf).Where(part => part >= 0).Order()];

    /// <summary>Facts there were, by the patterns' predicates, when the order was chosen.</summary>
    public long[] MadeFor { get; init; } = [];

    /// <summary>When <see cref="MadeFor"/> was last found to be about right.</summary>
    public int CheckedAt { get; set; }

    /// <summary>How many facts it is about to look at, the first step's among them; of one that is given rows: for each of those.</summary>
    public double Looks { get; init; }

    /// <summary>The same for the rows of the first step, given in parts.</summary>
    public Plan? Shared { get; set; }

    public PlanCode? Code { get; set; }

    /// <summary>The same over the facts from before the transaction.</summary>
    public PlanCode? OldCode { get; set; }

    /// <summary>Rows looked at by interpretation; code is made when it gets many.</summary>
    public long Interpreted;

    private static int PartOf(Step step) => step switch
    {
        ScanStep scan => scan.Part,
        GatherStep gather => gather.Part,
        WalkStep walk => walk.Part,
        _ => -1,
    };
}

/// <summary>A plan as machine code; false: enough.</summary>
internal delegate bool PlanCode(Evaluator evaluator, int[] constants, int[] values);
