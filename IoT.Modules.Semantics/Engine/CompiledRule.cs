using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// A term in a rule as the engine sees it: the slot of a variable from 0, the complement of an index into the rule's constants below 0,
/// or, in heads, a blank node to be made from <see cref="Skolem"/> on downward.
/// </summary>
internal static class Operand
{
    public const int Skolem = int.MinValue / 2;

    public static bool IsSlot(int operand) => operand >= 0;

    public static bool IsConstant(int operand) => operand is < 0 and > Skolem;

    public static bool IsSkolem(int operand) => operand <= Skolem;
}

internal abstract record CompiledPart;

internal sealed record AtomPart(int S, int P, int O) : CompiledPart
{
    public IEnumerable<int> Slots => new[] { S, P, O }.Where(Operand.IsSlot);
}

/// <param name="Arguments">The subject, or the items of the list that is written there.</param>
/// <param name="Objects">The object, or the items of the list that is written there.</param>
internal sealed record ComputedPart(Builtin Builtin, int[] Arguments, bool SubjectIsList, int[] Objects, bool ObjectIsList) : CompiledPart;

internal sealed record AbsentPart(IReadOnlyList<CompiledPart> Parts) : CompiledPart;

internal sealed record GatherPart(int Template, IReadOnlyList<CompiledPart> Parts, int List) : CompiledPart;

/// <summary>Reads the list in facts that a node begins, for the builtins that take it.</summary>
/// <param name="List">The node.</param>
/// <param name="Members">Becomes the list of what it holds.</param>
/// <param name="Path">Becomes which way it was read: part of the witness, so that no fact is explained by a list that it is part of.</param>
/// <param name="First">Any <c>rdf:first</c>: it may be one of the list's.</param>
/// <param name="Rest">Any <c>rdf:rest</c>.</param>
/// <param name="Link">Either of them, of the node itself.</param>
internal sealed record WalkPart(int List, int Members, int Path, AtomPart First, AtomPart Rest, AtomPart Link) : CompiledPart;

/// <summary>A rule with numbered variables and interned constants.</summary>
internal sealed class CompiledRule
{
    private readonly Dictionary<string, int> _slots = new(StringComparer.Ordinal);
    private readonly List<int> _constants = [];
    private readonly TermDictionary _terms;

    public CompiledRule(Rule source, TermDictionary terms, Conclusions conclusions)
    {
        (Source, _terms) = (source, terms);
        Body = Compile(source.Body, []);
        Heads = [.. source.Head.Select(head => new AtomPart(Of(head.Subject), Of(head.Predicate), Of(head.Object)))];
        Constants = [.. _constants];
        Names = [.. _slots.OrderBy(pair => pair.Value).Select(pair => pair.Key)];
        InPatterns = [.. Body.OfType<AtomPart>().SelectMany(atom => atom.Slots)];
        var generated = Body.OfType<ComputedPart>().Where(part => part.Builtin.Shape == BuiltinShape.Members)
            .SelectMany(part => part.Builtin.ListIsSubject ? part.Objects : part.Arguments).Where(Operand.IsSlot);
        Shown = [.. InPatterns, .. Body.OfType<ComputedPart>().SelectMany(part => part.Arguments.Concat(part.Objects)).Concat(Body.OfType<WalkPart>().Select(part => part.List)).Where(Operand.IsSlot)];
        Threshold = Thresholds.Of(this, conclusions);
        WitnessSlots = [.. InPatterns.Concat(generated).Concat(Body.OfType<WalkPart>().Select(walk => walk.Path)).Distinct().Where(slot => slot != Threshold?.Slot).Order()];
        MostParts = Most(Body);
        HeadSlots = [.. Heads.SelectMany(head => head.Slots).Distinct().Order()];
        Key = Fingerprint(source);
    }

    public Rule Source { get; }

    /// <summary>Where the engine keeps it; also in the rows that it holds up.</summary>
    public int Id { get; set; }

    public int Stratum { get; set; }

    public IReadOnlyList<CompiledPart> Body { get; }

    public AtomPart[] Heads { get; }

    public int[] Constants { get; }

    /// <summary>Names of the variables by slot.</summary>
    public string[] Names { get; }

    public double Confidence => Source.Confidence;

    /// <summary>Variables that patterns of the body bind.</summary>
    public HashSet<int> InPatterns { get; }

    /// <summary>
    /// The variables whose values tell one way to satisfy the body from the others. What is computed follows from them, and a value that
    /// is only compared with constants doesn't matter, so that it can change without anything having to be looked at.
    /// </summary>
    public int[] WitnessSlots { get; }

    public Thresholds? Threshold { get; }

    /// <summary>In the body, or within a negation or an aggregation.</summary>
    public int MostParts { get; }

    /// <summary>The variables of the heads: blank nodes in them are one for each of their values.</summary>
    public int[] HeadSlots { get; }

    /// <summary>Variables that have a value in every solution of the body.</summary>
    public HashSet<int> Shown { get; }

    /// <summary>The same for the same rule in another process: blank nodes are named after it.</summary>
    public ulong Key { get; }

    public int Resolve(int operand) => Constants[~operand];

    private static int Most(IReadOnlyList<CompiledPart> parts) => parts.Select(part => part switch
    {
        AbsentPart absent => Most(absent.Parts),
        GatherPart gather => Most(gather.Parts),
        _ => 0,
    }).Append(parts.Count).Max();

    /// <param name="collected">Variables outside of the parts whose values are collected lists.</param>
    private List<CompiledPart> Compile(IReadOnlyList<BodyPart> parts, HashSet<string> collected)
    {
        HashSet<string> lists = [.. RuleSafety.ListsOf(parts), .. collected];
        var walks = new Dictionary<int, WalkPart>();
        var compiled = parts.Select(part => Compile(part, lists, walks)).ToList();
        return [.. compiled, .. walks.Values];
    }

    private CompiledPart Compile(BodyPart part, HashSet<string> lists, Dictionary<int, WalkPart> walks)
    {
        switch (part)
        {
            case PatternPart { Pattern: var pattern }:
                return new AtomPart(Of(pattern.Subject), Of(pattern.Predicate), Of(pattern.Object));
            case BuiltinPart builtin:
                var (subjects, objects) = (Several(builtin.Subject), Several(builtin.Object));
                if (builtin.ListArgument is ConstantTerm || (builtin.ListArgument is VariableTerm list && !lists.Contains(list.Name)))
                {
                    var isSubject = ReferenceEquals(builtin.ListArgument, builtin.Subject);
                    ref var operand = ref (isSubject ? subjects : objects)[0];
                    if (!walks.TryGetValue(operand, out var walk))
                        walks.Add(operand, walk = Walk(operand));
                    operand = walk.Members;
                }
                return new ComputedPart(builtin.Builtin, subjects, builtin.Subject is ListTerm, objects, builtin.Object is ListTerm);
            case NegationPart negation:
                return new AbsentPart(Compile(negation.Parts, lists));
            case CollectPart collect:
                return new GatherPart(Of(collect.Template), Compile(collect.Parts, lists), Of(collect.List));
            default:
                throw new InvalidOperationException($"a body can't have a {part.GetType().Name}");
        }
    }

    // The names are none that a rule can have.
    private WalkPart Walk(int list)
    {
        var (node, item) = (Of(new VariableTerm("_:(node")), Of(new VariableTerm("_:(item")));
        return new WalkPart(
            list,
            Of(new VariableTerm($"_:(members{_slots.Count}")),
            Of(new VariableTerm($"_:(path{_slots.Count}")),
            new AtomPart(node, Of(new ConstantTerm(Term.Iri(Rdf.First))), item),
            new AtomPart(node, Of(new ConstantTerm(Term.Iri(Rdf.Rest))), item),
            new AtomPart(list, Of(new VariableTerm("_:(link")), item));
    }

    private int[] Several(RuleTerm term) => term is ListTerm list ? [.. list.Items.Select(Of)] : [Of(term)];

    private int Of(RuleTerm term)
    {
        switch (term)
        {
            case ConstantTerm constant:
                var id = _terms.Add(constant.Value);
                var index = _constants.IndexOf(id);
                if (index < 0)
                {
                    index = _constants.Count;
                    _constants.Add(id);
                }
                return ~index;
            case VariableTerm variable:
                if (!_slots.TryGetValue(variable.Name, out var slot))
                    _slots.Add(variable.Name, slot = _slots.Count);
                return slot;
            case SkolemTerm skolem:
                return Operand.Skolem - skolem.Label;
            default:
                throw new InvalidOperationException($"{term.GetType().Name} can't stand here");
        }
    }

    private static ulong Fingerprint(Rule rule)
    {
        var text = string.Join('\n', rule.Body.Select(Print).Append("=>").Concat(rule.Head.Select(Print)));
        return BitConverter.ToUInt64(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
    }

    private static string Print(BodyPart part) => part switch
    {
        PatternPart pattern => Print(pattern.Pattern),
        BuiltinPart builtin => $"{Print(builtin.Subject)} {builtin.Builtin.Iri} {Print(builtin.Object)}",
        NegationPart negation => $"not({string.Join(',', negation.Parts.Select(Print))})",
        CollectPart collect => $"all({Print(collect.Template)},{string.Join(',', collect.Parts.Select(Print))},{Print(collect.List)})",
        _ => "",
    };

    private static string Print(TriplePattern pattern) => $"{Print(pattern.Subject)} {Print(pattern.Predicate)} {Print(pattern.Object)}";

    private static string Print(RuleTerm term) => term switch
    {
        ListTerm list => $"({string.Join(' ', list.Items.Select(Print))})",
        _ => term.ToString(),
    };
}

/// <summary>The predicates that rules conclude.</summary>
internal sealed class Conclusions
{
    private readonly HashSet<int> _predicates = [];
    private readonly bool _isAny;

    public Conclusions(IEnumerable<Rule> rules, TermDictionary terms)
    {
        foreach (var head in rules.SelectMany(rule => rule.Head))
        {
            if (head.Predicate is ConstantTerm constant)
                _predicates.Add(terms.Add(constant.Value));
            else
                _isAny = true;
        }
    }

    public bool Contains(int predicate) => _isAny || _predicates.Contains(predicate);
}

/// <summary>
/// A rule that looks at a value only to compare it with constants: <c>?d metric:m ?v. ?v math:greaterThan 30</c>. A value that takes the
/// place of another one on the same side of all of them changes nothing.
/// </summary>
/// <param name="Slot">The value's variable.</param>
/// <param name="Atom">Which part of the body has it as its object.</param>
/// <param name="Tests">The comparisons.</param>
internal sealed record Thresholds(int Slot, int Atom, IReadOnlyList<ComputedPart> Tests)
{
    public static Thresholds? Of(CompiledRule rule, Conclusions conclusions)
    {
        for (var i = 0; i < rule.Body.Count; i++)
        {
            if (rule.Body[i] is not AtomPart { O: >= 0 and var slot } atom || atom.S == slot || atom.P == slot || !Operand.IsConstant(atom.P))
                continue;
            // Only of what is asserted: a derived value may stand on what it would hold up.
            if (conclusions.Contains(rule.Resolve(atom.P)))
                continue;
            var others = rule.Body.Where((_, index) => index != i).ToList();
            var tests = others.OfType<ComputedPart>().Where(part => IsComparison(part, slot)).ToList();
            if (tests.Count == 0 || rule.Heads.Any(head => head.Slots.Contains(slot)) || others.Except(tests).Any(part => Uses(part, slot)))
                continue;
            return new Thresholds(slot, i, tests);
        }
        return null;
    }

    private static bool IsComparison(ComputedPart part, int slot) =>
        part is { Builtin: { Code: BuiltinCode.Greater or BuiltinCode.Less or BuiltinCode.NotGreater or BuiltinCode.NotLess or BuiltinCode.NumberEqual or BuiltinCode.NumberNotEqual }, SubjectIsList: false, ObjectIsList: false }
        && ((part.Arguments[0] == slot && Operand.IsConstant(part.Objects[0])) || (part.Objects[0] == slot && Operand.IsConstant(part.Arguments[0])));

    private static bool Uses(CompiledPart part, int slot) => part switch
    {
        AtomPart atom => atom.Slots.Contains(slot),
        ComputedPart computed => computed.Arguments.Contains(slot) || computed.Objects.Contains(slot),
        WalkPart walk => walk.List == slot,
        AbsentPart absent => absent.Parts.Any(inner => Uses(inner, slot)),
        GatherPart gather => gather.Template == slot || gather.List == slot || gather.Parts.Any(inner => Uses(inner, slot)),
        _ => false,
    };
}
