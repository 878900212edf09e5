using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Rules;

/// <summary>From what has been read to rules in the neutral form.</summary>
internal sealed partial class RuleParser
{
    private const string NotIncludes = Builtin.Log + "notIncludes";
    private const string Includes = Builtin.Log + "includes";
    private const string CollectAllIn = Builtin.Log + "collectAllIn";

    private readonly List<(string Name, Statement3 At)> _scopes = [];

    private void AddRule(N3Term body, N3Term head, int line, int column, (int Line, int Column) headPlace, RuleNotes notes)
    {
        if (IsWord(head, "false"))
            throw Wrong(headPlace.Line, headPlace.Column, "a rule that concludes false is not supported; derive a fact that says what is wrong");
        if (head is not N3Formula { Triples: var conclusions })
            throw Wrong(headPlace.Line, headPlace.Column, "expected the conclusions of the rule in '{' and '}'");
        if (body is not N3Formula && !IsWord(body, "true"))
            throw Wrong(line, column, "expected the conditions of the rule in '{' and '}'");
        if (conclusions.Count == 0)
            throw Wrong(headPlace.Line, headPlace.Column, "a rule without conclusions");
        _scopes.Clear();
        var parts = body is N3Formula formula ? Parts(formula) : [];
        var bound = new HashSet<string>(StringComparer.Ordinal);
        RuleSafety.Check(parts, bound, RuleSafety.Outside(parts, conclusions.SelectMany(Variables)));
        if (_scopes.FirstOrDefault(scope => bound.Contains(scope.Name)) is { Name: { } name, At: var place })
            throw Wrong(place.Line, place.Column, $"?{name} is bound by another condition; the scope here is the knowledge base: write a variable that stands nowhere else");
        var lists = RuleSafety.ListsOf(parts);
        var triples = new List<TriplePattern>();
        var labels = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var triple in conclusions)
            triples.Add(new(Head(triple.Subject, triple), Head(triple.Predicate, triple), Head(triple.Object, triple), triple.Line, triple.Column));
        _rules.Add(new Rule(_document, notes.Name ?? $"{_document}#{_rules.Count + 1}", notes.Confidence, notes.For, notes.ClearAfter, line, column, parts, triples));

        RuleTerm Head(N3Term term, Statement3 at)
        {
            switch (term)
            {
                case N3Constant constant:
                    if (ReferenceEquals(term, at.Predicate) && Builtin.IsReserved(constant.Value.Value))
                        throw Wrong(at.Line, at.Column, $"{constant.Value} is computed and can't be concluded");
                    if (!ReferenceEquals(term, at.Object) && constant.Value.Kind == TermKind.Literal)
                        throw Wrong(at.Line, at.Column, "a literal can't be the subject of a conclusion");
                    return new ConstantTerm(constant.Value);
                case N3Variable variable:
                    if (!bound.Contains(variable.Name))
                        throw Wrong(at.Line, at.Column, $"?{variable.Name} in the conclusion is bound by none of the rule's conditions");
                    if (lists.Contains(variable.Name))
                        throw Wrong(at.Line, at.Column, $"?{variable.Name} is a list, which can't be in a conclusion");
                    return new VariableTerm(variable.Name);
                case N3Blank blank:
                    if (bound.Contains("_:" + blank.Label))
                        throw Wrong(at.Line, at.Column, $"_:{blank.Label} stands in the conditions and in the conclusions, where it is another node; write a variable");
                    if (!labels.TryGetValue(blank.Label, out var label))
                        labels.Add(blank.Label, label = labels.Count);
                    return new SkolemTerm(label);
                case N3List { Items.Count: 0 }:
                    return new ConstantTerm(Term.Iri(Rdf.Nil));
                case N3List:
                    throw Wrong(at.Line, at.Column, "a list in a conclusion is not supported");
                default:
                    throw Wrong(at.Line, at.Column, "a formula in a conclusion is not supported");
            }
        }
    }

    private static IEnumerable<string> Variables(Statement3 triple) =>
        new[] { triple.Subject, triple.Predicate, triple.Object }.OfType<N3Variable>().Select(variable => variable.Name);

    private List<BodyPart> Parts(N3Formula formula)
    {
        var parts = new List<BodyPart>();
        foreach (var triple in formula.Triples)
            AddPart(triple, parts);
        return parts;
    }

    private void AddPart(Statement3 at, List<BodyPart> parts)
    {
        if (at.Predicate is N3Constant { Value: { Kind: TermKind.Iri, Value: var iri } } && Builtin.IsReserved(iri))
        {
            if (iri is NotIncludes or Includes)
            {
                CheckScope(at.Subject, at, iri);
                if (at.Object is not N3Formula inner)
                    throw Wrong(at.Line, at.Column, $"<{iri}> needs a formula in '{{' and '}}' as its object; formulas that are computed are not supported");
                if (iri == NotIncludes)
                    parts.Add(new NegationPart(Parts(inner), at.Line, at.Column));
                else
                    parts.AddRange(Parts(inner));
                return;
            }
            if (iri == CollectAllIn)
            {
                CheckScope(at.Object, at, iri);
                if (at.Subject is N3List { Items: [N3Variable or N3Constant, N3Formula none, N3List { Items.Count: 0 }] })
                {
                    // That nothing can be collected is what a negation says.
                    parts.Add(new NegationPart(Parts(none), at.Line, at.Column));
                    return;
                }
                if (at.Subject is not N3List { Items: [var template, N3Formula clause, N3Variable list] })
                    throw Wrong(at.Line, at.Column, "log:collectAllIn needs (template {conditions} ?list) as its subject");
                if (template is not (N3Variable or N3Constant))
                    throw Wrong(at.Line, at.Column, "the template of log:collectAllIn must be a variable or a constant; others are not supported");
                parts.Add(new CollectPart(Argument(template, at), Parts(clause), new VariableTerm(list.Name), at.Line, at.Column));
                return;
            }
            if (!Builtin.All.TryGetValue(iri, out var builtin))
                throw Wrong(at.Line, at.Column, $"the builtin <{iri}> is not supported");
            CheckArguments(builtin, at);
            parts.Add(new BuiltinPart(builtin, Argument(at.Subject, at), Argument(at.Object, at), at.Line, at.Column));
            return;
        }
        if (at.Subject is N3Constant { Value.Kind: TermKind.Literal })
            throw Wrong(at.Line, at.Column, "a literal can't be the subject of a condition");
        parts.Add(new PatternPart(new TriplePattern(Node(at.Subject, at, parts), Node(at.Predicate, at, parts), Node(at.Object, at, parts), at.Line, at.Column)));
    }

    // What could never hold is a mistake.
    private static void CheckArguments(Builtin builtin, Statement3 at)
    {
        var iri = builtin.Iri;
        if (builtin.Shape is BuiltinShape.Test or BuiltinShape.Equality && (at.Subject is N3List || at.Object is N3List))
            throw Wrong(at.Line, at.Column, $"<{iri}> compares two terms; a list on one side is not supported");
        if (builtin.Shape == BuiltinShape.Function)
        {
            if (at.Object is N3List)
                throw Wrong(at.Line, at.Column, $"the result of <{iri}> is no list");
            if (builtin.Arguments == 1 && at.Subject is N3List)
                throw Wrong(at.Line, at.Column, $"<{iri}> takes one term, not a list");
            if (builtin.Arguments > 1 && (!IsList(at.Subject) || (at.Subject is N3List list && list.Items.Count != builtin.Arguments)))
                throw Wrong(at.Line, at.Column, $"<{iri}> takes a list of {builtin.Arguments} terms");
            if (builtin.Arguments == Builtin.Several && !IsList(at.Subject))
                throw Wrong(at.Line, at.Column, $"<{iri}> takes a list");
        }
        if (builtin.Shape == BuiltinShape.Members && !IsList(builtin.ListIsSubject ? at.Subject : at.Object))
            throw Wrong(at.Line, at.Column, $"<{iri}> takes a list");
        var pattern = builtin.Code is BuiltinCode.Matches or BuiltinCode.NotMatches ? at.Object
            : builtin.Code == BuiltinCode.Replace && at.Subject is N3List { Items: [_, var second, _] } ? second : null;
        if (pattern is N3Constant { Value: { Kind: TermKind.Literal, Value: var text } } && Builtin.PatternError(text) is { } wrong)
            throw Wrong(at.Line, at.Column, $"the pattern \"{text}\" is not supported: {wrong}");
    }

    // A name may be a node that begins a list.
    private static bool IsList(N3Term term) => term is N3List or N3Variable or N3Blank or N3Constant { Value.Kind: TermKind.Iri };

    private void CheckScope(N3Term scope, Statement3 at, string iri)
    {
        if (scope is N3Variable variable)
            _scopes.Add((variable.Name, at));
        if (scope is not (N3Variable or N3Blank or N3List { Items.Count: 0 } or N3Constant { Value.Kind: TermKind.Literal }))
            throw Wrong(at.Line, at.Column, $"the scope of <{iri}> is the knowledge base: write an unbound variable, [] or (); others are not supported");
    }

    private static RuleTerm Argument(N3Term term, Statement3 at) => term switch
    {
        N3Constant constant => new ConstantTerm(constant.Value),
        N3Variable variable => new VariableTerm(variable.Name),
        N3Blank blank => new VariableTerm("_:" + blank.Label),
        N3List list => new ListTerm([.. list.Items.Select(item => item is N3List ? throw Wrong(at.Line, at.Column, "a list within a list is not supported") : Argument(item, at))]),
        _ => throw Wrong(at.Line, at.Column, "a formula here is not supported"),
    };

    private RuleTerm Node(N3Term term, Statement3 at, List<BodyPart> parts)
    {
        if (term is N3List list)
        {
            // A list in facts is made of rdf:first and rdf:rest, and so it is matched.
            RuleTerm rest = new ConstantTerm(Term.Iri(Rdf.Nil));
            foreach (var item in list.Items.Reverse())
            {
                var node = new VariableTerm($"_:({++_fresh}");
                parts.Add(new PatternPart(new(node, new ConstantTerm(Term.Iri(Rdf.First)), Node(item, at, parts), at.Line, at.Column)));
                parts.Add(new PatternPart(new(node, new ConstantTerm(Term.Iri(Rdf.Rest)), rest, at.Line, at.Column)));
                rest = node;
            }
            return rest;
        }
        return Argument(term, at);
    }
}
