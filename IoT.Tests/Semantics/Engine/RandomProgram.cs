using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics.Engine;

/// <summary>Rules, facts and changes made at random, small enough that they often meet, the same for the same seed.</summary>
internal sealed class RandomProgram
{
    private const string Prefixes = "@prefix : <http://e/>. @prefix math: <http://www.w3.org/2000/10/swap/math#>. @prefix log: <http://www.w3.org/2000/10/swap/log#>. @prefix list: <http://www.w3.org/2000/10/swap/list#>.\n";
    private static readonly string[] Confidences = ["1", "1", "0.9", "0.8", "0.7", "0.5", "0.3"];

    private readonly Random _random;
    private readonly bool _hasAnyPredicate;
    private readonly bool _hasBlanks;
    private readonly List<(int Level, string Text)>[] _sets;

    public RandomProgram(int seed, bool hasBlanks = false)
    {
        _random = new Random(seed);
        // Patterns that match any predicate only without what must be stratified.
        _hasAnyPredicate = !hasBlanks && _random.Next(6) == 0;
        _hasBlanks = hasBlanks;
        _sets = [MakeRules(), MakeRules(), MakeRules()];
    }

    /// <summary>Predicates :p0 to this one; rules conclude from lower to higher ones.</summary>
    private int Top { get; } = 5;

    public int Sets => _sets.Length;

    public string Text(int set) => Prefixes + string.Join("", _sets[set].Select(rule => rule.Text));

    public (RuleSet Rules, int[] Levels) Parse(int set)
    {
        var rules = RuleParser.Parse($"r{set}", Encoding.UTF8.GetBytes(Text(set)), null, out var error)
            ?? throw new InvalidOperationException($"{error}\n{Text(set)}");
        return (rules, [.. _sets[set].Select(rule => rule.Level)]);
    }

    /// <summary>Other rules for a set.</summary>
    public void Change(int set) => _sets[set] = MakeRules();

    public int Next(int limit) => _random.Next(limit);

    public Term Thing() => Term.Iri($"http://e/e{_random.Next(5)}");

    public Term Reading() => Term.Integer(_random.Next(12));

    public static Term V { get; } = Term.Iri("http://e/v");

    public Triple Fact() => _random.Next(4) switch
    {
        0 => new Triple(Thing(), V, Reading()),
        1 => new Triple(Thing(), Term.Iri($"http://e/p{_random.Next(Top + 1)}"), Thing()),
        _ => new Triple(Thing(), Term.Iri($"http://e/p{_random.Next(3)}"), Thing()),
    };

    private List<(int, string)> MakeRules() => [.. Enumerable.Range(0, _random.Next(2, 8)).Select(_ => MakeRule())];

    private (int Level, string Text) MakeRule()
    {
        var head = _random.Next(1, Top + 1);
        var hasBlank = _hasBlanks && _random.Next(3) == 0;
        // A rule that makes blank nodes never eats them again.
        var highest = hasBlank ? head - 1 : head;
        var body = new StringBuilder();
        var bound = new List<string>();
        for (var i = _random.Next(1, 4); i > 0; i--)
            body.Append(CultureInfo.InvariantCulture, $"{Node(bound, true)} {(_hasAnyPredicate && _random.Next(4) == 0 ? Variable(bound) : $":p{_random.Next(highest + 1)}")} {Node(bound, true)}. ");
        if (bound.Count == 0)
            body.Append(CultureInfo.InvariantCulture, $"{Variable(bound)} :p0 {Variable(bound)}. ");
        var value = "";
        if (_random.Next(3) == 0)
        {
            body.Append(CultureInfo.InvariantCulture, $"{Node(bound, true)} :v ?n. ");
            value = "?n";
            if (_random.Next(3) != 0)
                body.Append(CultureInfo.InvariantCulture, $"?n math:{(_random.Next(2) == 0 ? "greaterThan" : "notGreaterThan")} {_random.Next(12)}. ");
            if (_random.Next(4) == 0)
            {
                body.Append(CultureInfo.InvariantCulture, $"{Node(bound, true)} :v ?m. (?n ?m) math:{(_random.Next(2) == 0 ? "difference" : "sum")} ?d. ?d math:greaterThan {_random.Next(6)}. ");
                value = "?d";
            }
        }
        if (!_hasAnyPredicate && _random.Next(4) == 0)
            body.Append(CultureInfo.InvariantCulture, $"?SCOPE log:notIncludes {{ {Node(bound, false)} :p{_random.Next(head)} {(_random.Next(2) == 0 ? "?any" : Node(bound, false))}.{(_random.Next(3) == 0 ? $" {Node(bound, false)} :v ?k. ?k math:greaterThan {_random.Next(12)}" : "")} }}. ");
        if (!_hasAnyPredicate && _random.Next(5) == 0)
        {
            body.Append(_random.Next(3) switch
            {
                0 => $"(?a {{ {Node(bound, false)} :p{_random.Next(head)} ?a }} ?l) log:collectAllIn ?S. ?l list:length ?c. ",
                1 => $"(?a {{ {Node(bound, false)} :p{_random.Next(head)} ?b. ?b :v ?a }} ?l) log:collectAllIn ?S. ?l math:sum ?c. ",
                _ => $"(?a {{ ?b :p{_random.Next(head)} {Node(bound, false)}. ?b :v ?a }} ?l) log:collectAllIn ?S. ?l math:max ?c. ",
            });
            if (_random.Next(2) == 0)
                body.Append(CultureInfo.InvariantCulture, $"?c math:greaterThan {_random.Next(4)}. ");
            value = "?c";
        }
        if (_random.Next(6) == 0)
            body.Append(CultureInfo.InvariantCulture, $"{Node(bound, false)} log:notEqualTo {Node(bound, false)}. ");
        var conclusions = $"{Node(bound, false)} :p{head} {(hasBlank ? "_:b" : value.Length > 0 && _random.Next(3) == 0 ? value : Node(bound, false))}";
        if (_random.Next(4) == 0)
            conclusions += $". {(hasBlank ? "_:b" : Node(bound, false))} :p{_random.Next(head, Top + 1)} {Node(bound, false)}";
        var isAny = _hasAnyPredicate && body.ToString().Contains("?e", StringComparison.Ordinal);
        return (_hasAnyPredicate ? 0 : head, $"# @confidence {Confidences[_random.Next(Confidences.Length)]}\n{{ {body}}} => {{ {conclusions} }}. {(isAny ? "# any" : "")}\n");
    }

    private string Variable(List<string> bound)
    {
        var name = $"?{"xyzw"[_random.Next(4)]}";
        bound.Add(name);
        return name;
    }

    private string Node(List<string> bound, bool isBinding) =>
        _random.Next(9) == 0 ? $":e{_random.Next(5)}" : isBinding ? Variable(bound) : bound[_random.Next(bound.Count)];
}
