using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Terms;

namespace IoT.Tests.Semantics.Engine;

/// <summary>
/// A random program that lives: after each random change the engine's facts and degrees are those of a naive reasoner and of an engine
/// that derives everything anew, its report of the change is the difference, and its explanations hold.
/// </summary>
internal sealed class RandomRun
{
    private readonly int _seed;
    private readonly RandomProgram _program;
    private readonly EngineOptions _options;
    private readonly bool _isCompared;
    private readonly KnowledgeBase _engine;
    private readonly KnowledgeBase _anew;
    private readonly Dictionary<string, List<Triple>> _documents = [];
    private readonly Dictionary<(Term, Term), Term> _values = [];
    private readonly HashSet<Triple> _single = [];
    private readonly HashSet<int> _sets = [];
    private readonly StringBuilder _story = new();
    private Dictionary<Triple, (bool IsAsserted, double Degree)> _before = [];

    private RandomRun(int seed, EngineOptions options, bool hasBlanks)
    {
        (_seed, _options, _isCompared) = (seed, options, !hasBlanks);
        _program = new RandomProgram(seed, hasBlanks);
        _engine = new KnowledgeBase(options);
        _anew = new KnowledgeBase(options with { Incremental = false, CompileRules = false, Threads = 1 });
    }

    /// <summary>How many facts were derived in the end.</summary>
    public static long Of(int seed, EngineOptions options, int changes, bool hasBlanks = false)
    {
        var run = new RandomRun(seed, options, hasBlanks);
        var facts = Enumerable.Range(0, 10 + run._program.Next(20)).Select(_ => run._program.Fact()).ToList();
        run._documents["m0"] = facts;
        run._sets.Add(0);
        run.Do("load", knowledge => knowledge.Load([FactDocument.Of(knowledge.Terms, "m0", facts)], [run._program.Parse(0).Rules]));
        for (var i = 0; i < changes; i++)
            run.Change();
        return run._engine.Derived;
    }

    private void Change()
    {
        switch (_program.Next(12))
        {
            case 0:
                var name = $"m{_program.Next(3)}";
                var facts = Enumerable.Range(0, _program.Next(25)).Select(_ => _program.Fact()).ToList();
                _documents[name] = facts;
                Do($"put {name}: {string.Join(' ', facts)}", knowledge => knowledge.Put(FactDocument.Of(knowledge.Terms, name, facts)));
                break;
            case 1:
                var gone = $"m{_program.Next(3)}";
                _documents.Remove(gone);
                Do($"remove {gone}", knowledge => knowledge.RemoveFacts(gone));
                break;
            case 2:
                var set = _program.Next(_program.Sets);
                if (_program.Next(3) == 0)
                {
                    _sets.Remove(set);
                    Do($"remove r{set}", knowledge => knowledge.RemoveRules($"r{set}"));
                }
                else
                {
                    if (_program.Next(2) == 0)
                        _program.Change(set);
                    _sets.Add(set);
                    Do($"put r{set}", knowledge => knowledge.Put(_program.Parse(set).Rules));
                }
                break;
            case 3:
                Overlay();
                break;
            default:
                var items = Items();
                foreach (var item in items)
                    Note(item);
                Do($"batch {string.Join(", ", items)}", knowledge =>
                {
                    using var batch = Batch(knowledge, items);
                    return knowledge.Apply(batch);
                });
                break;
        }
    }

    private List<(FactBatchKind Kind, Triple Fact)> Items() => [.. Enumerable.Range(0, 1 + (_program.Next(3) == 0 ? _program.Next(12) : 0)).Select(_ =>
        _program.Next(10) switch
        {
            < 5 => (FactBatchKind.Replace, new Triple(_program.Thing(), RandomProgram.V, _program.Reading())),
            5 => (FactBatchKind.Take, new Triple(_program.Thing(), RandomProgram.V, _program.Reading())),
            < 8 => (FactBatchKind.Assert, _program.Fact()),
            _ => (FactBatchKind.Retract, _single.Count > 0 && _program.Next(4) != 0 ? _single.ElementAt(_program.Next(_single.Count)) : _program.Fact()),
        })];

    private void Note((FactBatchKind Kind, Triple Fact) item)
    {
        var (subject, predicate, value) = item.Fact;
        switch (item.Kind)
        {
            case FactBatchKind.Replace:
                _values[(subject, predicate)] = value;
                break;
            case FactBatchKind.Take:
                _values.Remove((subject, predicate));
                break;
            case FactBatchKind.Assert:
                _single.Add(item.Fact);
                break;
            case FactBatchKind.Retract:
                _single.Remove(item.Fact);
                break;
        }
    }

    private static FactBatch Batch(KnowledgeBase knowledge, List<(FactBatchKind Kind, Triple Fact)> items)
    {
        var batch = new FactBatch(knowledge);
        foreach (var (kind, fact) in items)
        {
            var (s, p, o) = (knowledge.Terms.Intern(fact.Subject), knowledge.Terms.Intern(fact.Predicate), knowledge.Terms.Intern(fact.Object));
            switch (kind)
            {
                case FactBatchKind.Replace:
                    batch.Replace(s, p, o);
                    break;
                case FactBatchKind.Take:
                    batch.Take(s, p);
                    break;
                case FactBatchKind.Assert:
                    batch.Assert(s, p, o);
                    break;
                default:
                    batch.Retract(s, p, o);
                    break;
            }
        }
        return batch;
    }

    // What an overlay shows is what a change would do, and afterwards all is as before.
    private void Overlay()
    {
        var items = Items();
        _story.AppendLine(CultureInfo.InvariantCulture, $"overlay {string.Join(", ", items)}");
        using var batch = new FactBatch(_engine);
        batch.TakeAllReplaced();
        using var rest = Batch(_engine, items);
        batch.Items.AddRange(rest.Items);
        using var other = new FactBatch(_anew);
        other.TakeAllReplaced();
        using var otherRest = Batch(_anew, items);
        other.Items.AddRange(otherRest.Items);
        var seen = _engine.Overlay(batch, _ => Facts(_engine), out _);
        var expected = _anew.Overlay(other, _ => Facts(_anew), out _);
        Compare("overlay", expected!, seen!);
        Compare("after the overlay", _before, Facts(_engine));
    }

    private void Do(string what, Func<KnowledgeBase, Commit> change)
    {
        _story.AppendLine(what);
        using var commit = change(_engine);
        using var anew = change(_anew);
        if (commit.Error is { } error)
            throw Wrong($"refused: {error.Message}");
        var facts = Facts(_engine);
        Compare("anew", Facts(_anew), facts);
        if (_isCompared)
            Compare("naively", Naive(), facts, 1e-9);
        CheckReport(commit, facts);
        foreach (var (fact, (isAsserted, _)) in facts.OrderBy(_ => _program.Next(1_000)).Where(pair => !pair.Value.IsAsserted).Take(3))
            CheckExplanation(fact);
        _before = facts;
    }

    private Dictionary<Triple, (bool IsAsserted, double Degree)> Naive()
    {
        var asserted = _documents.Values.SelectMany(facts => facts).Concat(_values.Select(pair => new Triple(pair.Key.Item1, pair.Key.Item2, pair.Value))).Concat(_single).ToHashSet();
        var rules = _sets.Order().SelectMany(set =>
        {
            var (parsed, levels) = _program.Parse(set);
            return parsed.Rules.Zip(levels, (rule, level) => (level, rule));
        });
        return NaiveReasoner.Closure(asserted, rules, _options.Product).ToDictionary(pair => pair.Key, pair => (asserted.Contains(pair.Key), pair.Value));
    }

    private void CheckReport(Commit commit, Dictionary<Triple, (bool IsAsserted, double Degree)> facts)
    {
        var expected = new HashSet<string>();
        foreach (var fact in _before.Keys.Union(facts.Keys))
        {
            var was = _before.TryGetValue(fact, out var before) && !before.IsAsserted ? before.Degree : 0;
            var isNow = facts.TryGetValue(fact, out var now) && !now.IsAsserted ? now.Degree : 0;
            if (was != isNow)
                expected.Add(Told(fact, was, isNow));
            if (before.IsAsserted != now.IsAsserted)
                expected.Add($"asserted {fact}");
        }
        var told = commit.Derived.Select(change => Told(Spelled(_engine, change.Fact), change.Before, change.Degree))
            .Concat(commit.Asserted.Select(fact => $"asserted {Spelled(_engine, fact)}")).ToList();
        if (told.Count != expected.Count || !expected.SetEquals(told))
            throw Wrong($"expected the report [{string.Join(", ", expected.Except(told))}], was [{string.Join(", ", told.Except(expected))}]");

        static string Told(Triple fact, double was, double isNow) => string.Create(CultureInfo.InvariantCulture, $"{fact} {was} -> {isNow}");
    }

    private void CheckExplanation(Triple fact)
    {
        var id = new TripleId(_engine.Terms.Find(fact.Subject), _engine.Terms.Find(fact.Predicate), _engine.Terms.Find(fact.Object));
        var explanation = _engine.Explain(id) ?? throw Wrong($"no explanation of {fact}");
        Walk(explanation, []);

        void Walk(Explanation step, HashSet<Triple> above)
        {
            if (!above.Add(step.Fact))
                throw Wrong($"the explanation of {fact} goes in a circle at {step.Fact}");
            if (_engine.Find(new TripleId(_engine.Terms.Find(step.Fact.Subject), _engine.Terms.Find(step.Fact.Predicate), _engine.Terms.Find(step.Fact.Object))) is not { Exists: true } state || state.Degree != step.Degree)
                throw Wrong($"the explanation of {fact} has {step.Fact} with {step.Degree}");
            if (step.Premises.Select(premise => premise.Fact).Distinct().Count() != step.Premises.Count)
                throw Wrong($"the explanation of {fact} has a premise of {step.Fact} twice");
            if (step.IsAsserted != (step.Rule is null))
                throw Wrong($"the explanation of {fact} has {step.Fact} asserted {step.IsAsserted} by {step.Rule}");
            if (step.Rule is { } rule)
            {
                var least = step.Premises.Select(premise => premise.Degree).Append(rule.Confidence).Min();
                if (!_options.Product && step.Degree != least)
                    throw Wrong($"the explanation of {fact} yields {least} for {step.Fact}, which has {step.Degree}");
            }
            foreach (var premise in step.Premises)
                Walk(premise, above);
            above.Remove(step.Fact);
        }
    }

    private static Dictionary<Triple, (bool IsAsserted, double Degree)> Facts(KnowledgeBase knowledge)
    {
        using var rows = knowledge.Query();
        return rows.ToDictionary(row => Spelled(knowledge, row.Fact), row => (row.IsAsserted, row.Degree));
    }

    private static Triple Spelled(KnowledgeBase knowledge, TripleId fact) => new(knowledge.Terms[fact.Subject], knowledge.Terms[fact.Predicate], knowledge.Terms[fact.Object]);

    private void Compare(string with, Dictionary<Triple, (bool IsAsserted, double Degree)> expected, Dictionary<Triple, (bool IsAsserted, double Degree)> facts, double tolerance = 0)
    {
        foreach (var fact in expected.Keys.Union(facts.Keys))
        {
            var (wanted, found) = (expected.GetValueOrDefault(fact), facts.GetValueOrDefault(fact));
            if (wanted.IsAsserted != found.IsAsserted || Math.Abs(wanted.Degree - found.Degree) > tolerance)
                throw Wrong($"{fact}: {with} {wanted}, found {found}");
        }
    }

    private InvalidOperationException Wrong(string what) =>
        new($"seed {_seed}, {_options}: {what}\n{string.Join('\n', _sets.Order().Select(set => $"--- r{set}\n{_program.Text(set)}"))}\n{_story}");
}
