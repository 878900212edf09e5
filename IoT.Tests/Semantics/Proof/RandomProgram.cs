using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics.Proof;

/// <summary>
/// Random rules over few names, so that they meet often: chains, recursion through one rule and several, joins, constants, several
/// heads, comparisons, arithmetic, lists that are whole, broken, circular or several in one; and, when wanted, negation and aggregation
/// of what lower levels derive.
/// </summary>
internal sealed class RandomProgram
{
    public const int Entities = 6;

    private static readonly string[] Confidences = ["1", "0.95", "0.9", "0.8", "0.7", "0.5", "0.3"];

    private readonly Random _random;
    private readonly bool _isPositive;
    private readonly bool _hasManyLists;

    /// <param name="isPositive">No negation and no aggregation.</param>
    public RandomProgram(Random random, bool isPositive)
    {
        (_random, _isPositive) = (random, isPositive);
        _hasManyLists = random.Next(3) == 0;
        for (var level = 0; level < 4; level++)
        {
            var rules = new List<string>();
            for (var i = random.Next(1, 4); i > 0; i--)
                rules.Add(Rule(level));
            Levels.Add(rules);
        }
    }

    /// <summary>Rules, each with its comments, by level.</summary>
    public List<List<string>> Levels { get; } = [];

    public string Text => string.Concat(Levels.SelectMany(rules => rules));

    public static string Entity(int number) => string.Create(CultureInfo.InvariantCulture, $":e{number}");

    // Level 0 derives into the asserted predicates themselves.
    private string Predicate(int level) => string.Create(CultureInfo.InvariantCulture, $":{(level == 0 ? 'b' : 'd')}{level}{_random.Next(level == 0 ? 3 : 2)}");

    private string Rule(int level)
    {
        var body = new List<string>();
        var variables = new List<string>();
        var numbers = new List<string>();
        for (var i = _random.Next(1, 4); i > 0; i--)
            body.Add(Pattern(_random.Next(level + 1), variables));
        // Readings: compared, joined, or carried along.
        if (_random.Next(3) > 0)
        {
            var owner = Pick(variables);
            body.Add($"{owner} :v{_random.Next(2)} ?n0");
            numbers.Add("?n0");
            if (_random.Next(3) == 0)
            {
                body.Add($"{Pick(variables)} :v{_random.Next(2)} ?n1");
                body.Add(_random.Next(2) == 0 ? "?n0 math:greaterThan ?n1" : "(?n0 ?n1) math:difference ?n2 . ?n2 math:greaterThan 2");
            }
            if (_random.Next(3) > 0)
                body.Add($"?n0 math:{(_random.Next(2) == 0 ? "greaterThan" : "lessThan")} {_random.Next(2, 8)}");
        }
        if (_random.Next(_hasManyLists ? 2 : 6) == 0)
            AddList(level, body, variables, numbers);
        if (_random.Next(4) == 0 && variables.Distinct().Take(2).ToList() is [var a, var b])
            body.Add($"{a} log:notEqualTo {b}");
        if (!_isPositive && level > 0 && _random.Next(2) == 0)
            body.Add($"?scope log:notIncludes {{ {string.Join(" . ", Inner(level - 1, Pick(variables)))} }}");
        if (!_isPositive && level > 0 && _random.Next(6) == 0)
            body.Add($"?scope log:notIncludes {{ {(_random.Next(2) == 0 ? $"{Pick(variables)} :list ?own . {Entity(0)} list:in ?own" : $"{Pick(variables)} list:in {Node(0)}")} }}");
        if (!_isPositive && level > 0 && _random.Next(3) == 0)
        {
            var member = _random.Next(4) == 0 ? "?y :list ?own . ?m list:in ?own" : $"?y :v{_random.Next(2)} ?m";
            body.Add($"(?m {{ {Pick(variables)} {Predicate(_random.Next(level))} ?y . {member} }} ?l) log:collectAllIn ?scope");
            switch (_random.Next(4))
            {
                case 0:
                    body.Add("?l list:length ?k");
                    numbers.Add("?k");
                    break;
                case 1:
                    body.Add("?l math:sum ?k");
                    numbers.Add("?k");
                    break;
                case 2:
                    body.Add("?l math:max ?k . ?k math:greaterThan 4");
                    break;
                default:
                    body.Add("?l list:length ?k . ?k math:greaterThan 1");
                    break;
            }
        }
        for (var i = body.Count - 1; i > 0; i--)
        {
            var j = _random.Next(i + 1);
            (body[i], body[j]) = (body[j], body[i]);
        }
        var heads = new List<string>();
        for (var i = _random.Next(5) == 0 ? 2 : 1; i > 0; i--)
        {
            // Numbers go into predicates of their own: a level never feeds its own arithmetic.
            heads.Add(level == 0 && _random.Next(_hasManyLists ? 3 : 12) == 0
                ? ListFact(_random.Next(Nodes), _random.Next(3), _random.Next(4)) is var fact ? $"{fact.Subject} {fact.Predicate} {fact.Object}" : ""
                : numbers.Count > 0 && level == 3 && _random.Next(2) == 0
                ? $"{Pick(variables)} :k {numbers[_random.Next(numbers.Count)]}"
                : $"{(_random.Next(8) == 0 ? Entity(_random.Next(Entities)) : Pick(variables))} {Predicate(level)} {(_random.Next(6) == 0 ? Entity(_random.Next(Entities)) : Pick(variables))}");
        }
        return $"# @confidence {Confidences[_random.Next(Confidences.Length)]}\n{{ {string.Join(" . ", body)} }} => {{ {string.Join(" . ", heads)} }} .\n";
    }

    // Members are joined with, or the whole list is counted or added up.
    private void AddList(int level, List<string> body, List<string> variables, List<string> numbers)
    {
        var list = _random.Next(4) == 0 ? Node(_random.Next(Nodes)) : "?list";
        if (list == "?list")
            body.Add($"{Pick(variables)} :list ?list");
        if (_random.Next(3) > 0)
            body.Add(_random.Next(3) == 0 ? $"{list} list:member {New(variables)}" : $"{(_random.Next(2) == 0 ? Pick(variables) : New(variables))} list:in {list}");
        if (_random.Next(3) > 0)
            return;
        body.Add($"{list} {(_random.Next(3) == 0 ? "math:sum" : "list:length")} ?size");
        if (_random.Next(2) == 0)
            body.Add($"?size math:greaterThan {_random.Next(3)}");
        if (level == 3)
            numbers.Add("?size");
    }

    private string Pattern(int level, List<string> variables)
    {
        var subject = variables.Count > 0 && _random.Next(4) > 0 ? Pick(variables) : New(variables);
        var @object = _random.Next(10) == 0 ? Entity(_random.Next(Entities)) : variables.Count > 1 && _random.Next(4) == 0 ? Pick(variables) : New(variables);
        return $"{subject} {Predicate(level)} {@object}";
    }

    private IEnumerable<string> Inner(int level, string shared)
    {
        yield return _random.Next(2) == 0 ? $"{shared} {Predicate(_random.Next(level + 1))} ?own" : $"?own {Predicate(_random.Next(level + 1))} {shared}";
        if (_random.Next(2) == 0)
            yield return _random.Next(2) == 0 ? $"?own {Predicate(_random.Next(level + 1))} ?other" : "?own :v0 ?w . ?w math:greaterThan 4";
    }

    private static string New(List<string> variables)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"?x{variables.Count}");
        variables.Add(name);
        return name;
    }

    private string Pick(List<string> variables) => variables[_random.Next(variables.Count)];

    private const int Nodes = 3;

    private static string Node(int number) => string.Create(CultureInfo.InvariantCulture, $":l{number}");

    /// <summary>A piece of a list, or somebody's list. There are so few that no node begins more lists than the engine reads.</summary>
    public static Triple ListFact(int s, int p, int o)
    {
        var node = Term.Iri("http://e/" + Node(s % Nodes)[1..]);
        return (p % 3) switch
        {
            0 => new Triple(node, Term.Iri(Rdf.First), (o % 4) switch { 0 => Named(0), 1 => Named(1), 2 => Term.Integer(3), _ => Term.Integer(7) }),
            1 => new Triple(node, Term.Iri(Rdf.Rest), o % 4 == 3 ? Term.Iri(Rdf.Nil) : Term.Iri("http://e/" + Node(o % 4)[1..])),
            _ => new Triple(Named(o % Entities), Term.Iri("http://e/list"), node),
        };

        Term Named(int number) => Term.Iri("http://e/" + Entity(number)[1..]);
    }

    /// <summary>A model of asserted facts.</summary>
    public static string Facts(Random random, int most)
    {
        var text = new StringBuilder();
        for (var i = random.Next(most + 1); i > 0; i--)
        {
            text.Append(random.Next(4) == 0
                ? string.Create(CultureInfo.InvariantCulture, $"{Entity(random.Next(Entities))} :v{random.Next(2)} {random.Next(10)} .\n")
                : string.Create(CultureInfo.InvariantCulture, $"{Entity(random.Next(Entities))} :b0{random.Next(3)} {Entity(random.Next(Entities))} .\n"));
        }
        // Most of the time a whole list of three, then more that may join or break it.
        for (var i = random.Next(3); i < 3; i++)
            text.Append(CultureInfo.InvariantCulture, $"{ListFact(i, 0, random.Next(4))}\n{ListFact(i, 1, i == 2 ? 3 : i + 1)}\n{ListFact(i, 2, random.Next(Entities))}\n");
        for (var i = random.Next(5); i > 0; i--)
        {
            text.Append(CultureInfo.InvariantCulture, $"{ListFact(random.Next(Nodes), random.Next(3), random.Next(Entities))}\n");
        }
        if (random.Next(3) == 0)
            text.Append(CultureInfo.InvariantCulture, $"{Entity(random.Next(Entities))} :list ({random.Next(3)} {Entity(random.Next(Entities))} {Entity(random.Next(Entities))}) .\n");
        // Now and then what rules derive is also asserted.
        if (random.Next(4) == 0)
            text.Append(CultureInfo.InvariantCulture, $"{Entity(random.Next(Entities))} :d{random.Next(1, 4)}{random.Next(2)} {Entity(random.Next(Entities))} .\n");
        return text.ToString();
    }
}
