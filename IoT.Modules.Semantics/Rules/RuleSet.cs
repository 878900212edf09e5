using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Rules;

/// <summary>The rules of one document, whatever syntax it had, and the facts that stand beside them.</summary>
internal sealed record RuleSet(string Name, IReadOnlyList<Rule> Rules, IReadOnlyList<Triple> Facts);

/// <summary>Body → head: for every way to satisfy the body, the head's triples hold.</summary>
/// <param name="Name">As the comment says, otherwise the document's name, <c>#</c> and the rule's number.</param>
/// <param name="Confidence">Above 0, at most 1.</param>
/// <param name="For">How long it must hold before it is told.</param>
/// <param name="ClearAfter">How long it must not hold before that is told.</param>
internal sealed record Rule(
    string Document,
    string Name,
    double Confidence,
    TimeSpan For,
    TimeSpan ClearAfter,
    int Line,
    int Column,
    IReadOnlyList<BodyPart> Body,
    IReadOnlyList<TriplePattern> Head)
{
    public RuleInfo Info { get; } = new(Document, Name, Confidence, For, ClearAfter);
}

/// <summary>What others want to know about a rule.</summary>
internal sealed record RuleInfo(string Document, string Name, double Confidence, TimeSpan For, TimeSpan ClearAfter);

/// <summary>A term in a rule.</summary>
internal abstract record RuleTerm;

internal sealed record ConstantTerm(Term Value) : RuleTerm;

/// <param name="Name">As written, without the question mark; of one that stands for a blank node, with <c>_:</c> before it.</param>
internal sealed record VariableTerm(string Name) : RuleTerm;

/// <summary>A list among the arguments of a builtin.</summary>
internal sealed record ListTerm(IReadOnlyList<RuleTerm> Items) : RuleTerm;

/// <summary>A blank node in a head: one for each way to bind the head's variables.</summary>
internal sealed record SkolemTerm(int Label) : RuleTerm;

internal sealed record TriplePattern(RuleTerm Subject, RuleTerm Predicate, RuleTerm Object, int Line, int Column);

/// <summary>One condition of a body.</summary>
internal abstract record BodyPart(int Line, int Column);

internal sealed record PatternPart(TriplePattern Pattern) : BodyPart(Pattern.Line, Pattern.Column);

internal sealed record BuiltinPart(Builtin Builtin, RuleTerm Subject, RuleTerm Object, int Line, int Column) : BodyPart(Line, Column)
{
    /// <summary>The side that is a list; null when the builtin takes none.</summary>
    public RuleTerm? ListArgument => Builtin switch
    {
        { Shape: BuiltinShape.Members, ListIsSubject: false } => Object,
        { Shape: BuiltinShape.Members } or { Shape: BuiltinShape.Function, Arguments: not 1 } => Subject,
        _ => null,
    };
}

/// <summary>Holds when the parts together have no solution.</summary>
internal sealed record NegationPart(IReadOnlyList<BodyPart> Parts, int Line, int Column) : BodyPart(Line, Column);

/// <summary>Binds the list of what the template is in every solution of the parts, each solution once, in the order of terms.</summary>
internal sealed record CollectPart(RuleTerm Template, IReadOnlyList<BodyPart> Parts, VariableTerm List, int Line, int Column) : BodyPart(Line, Column);
