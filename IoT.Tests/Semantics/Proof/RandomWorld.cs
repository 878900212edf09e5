using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using Xunit;

namespace IoT.Tests.Semantics.Proof;

/// <summary>The same random changes to engines of several settings and to plain sets, and the same facts expected of all.</summary>
internal sealed class RandomWorld
{
    private readonly Random _random;
    private readonly bool _product;
    private readonly RandomProgram[] _programs;
    private readonly int[] _current = [0, -1];
    private readonly List<(string Settings, KnowledgeBase Knowledge)> _engines = [];
    private readonly Dictionary<string, HashSet<Triple>> _documents = [];
    private readonly Dictionary<(Term, Term), Term> _values = [];
    private readonly HashSet<Triple> _single = [];
    private Dictionary<Triple, double> _before = [];
    private HashSet<Triple> _assertedBefore = [];

    public RandomWorld(int seed, bool isPositive, bool product)
    {
        _random = new Random(seed);
        _product = product;
        _programs = [new RandomProgram(_random, isPositive), new RandomProgram(_random, isPositive), new RandomProgram(_random, isPositive)];
        foreach (var (compile, incremental, threads) in new[] { (true, true, 1), (false, true, 1), (true, true, 2), (false, false, 1) })
        {
            _engines.Add((
                $"compile {compile}, incremental {incremental}, {threads} threads",
                new KnowledgeBase(new EngineOptions { CompileRules = compile, Incremental = incremental, Threads = threads, ParallelThreshold = threads > 1 ? 1 : int.MaxValue, Product = product })));
        }
        All(engine => PutRules(engine, "p", _programs[0].Text));
    }

    public string Rules => string.Concat(_current.Where(index => index >= 0).Select(index => _programs[index].Text));

    /// <summary>One change of any kind; afterwards all must agree.</summary>
    public void Step()
    {
        var kind = _random.Next(12);
        switch (kind)
        {
            case 0 or 1:
                var (name, text) = ($"m{_random.Next(2)}", RandomProgram.Facts(_random, 12));
                All(engine => engine.Put(Knowledge.Facts(engine, text, name)));
                using (var parsed = Knowledge.Facts(_engines[0].Knowledge, text, name))
                    _documents[name] = [.. Triples(parsed)];
                break;
            case 2:
                var gone = $"m{_random.Next(2)}";
                All(engine => engine.TakeFacts(gone));
                _documents.Remove(gone);
                break;
            case 3:
                _current[1] = _random.Next(-1, _programs.Length);
                All(engine => _current[1] < 0 ? engine.TakeRules("q") : PutRules(engine, "q", _programs[_current[1]].Text));
                break;
            case 4 when _random.Next(2) == 0:
                _current[0] = _random.Next(_programs.Length);
                All(engine => PutRules(engine, "p", _programs[_current[0]].Text));
                break;
            default:
                var items = Enumerable.Range(0, _random.Next(1, 6)).Select(_ => (Kind: _random.Next(10), S: _random.Next(RandomProgram.Entities), P: _random.Next(3), O: _random.Next(10))).ToList();
                All(engine => Apply(engine, items));
                foreach (var item in items)
                    Remember(item.Kind, item.S, item.P, item.O);
                break;
        }
        Compare($"after a change of kind {kind}");
    }

    /// <summary>A look at other values, which must leave nothing behind.</summary>
    public void Look()
    {
        var items = Enumerable.Range(0, 4).Select(_ => (Kind: _random.Next(10), S: _random.Next(RandomProgram.Entities), P: _random.Next(3), O: _random.Next(10))).ToList();
        var (values, single) = (_values.ToDictionary(), _single.ToHashSet());
        _values.Clear();
        foreach (var item in items)
            Remember(item.Kind, item.S, item.P, item.O);
        var expected = Expected(out _);
        foreach (var (settings, engine) in _engines)
        {
            using var batch = Batch(engine, items, clear: true);
            var seen = engine.Overlay(batch, _ => Facts(engine), out var error);
            Assert.Null(error);
            Same(expected, seen!, settings + ", overlay");
        }
        _values.Clear();
        foreach (var (key, value) in values)
            _values.Add(key, value);
        _single.Clear();
        _single.UnionWith(single);
        foreach (var (settings, engine) in _engines)
            Same(_before, Facts(engine), settings + ", after an overlay");
    }

    /// <summary>Every derived fact is explained by what derives it.</summary>
    public void Explain()
    {
        var parsed = ParsedLevels().SelectMany(level => level).ToList();
        var check = new ExplanationCheck(_before, _assertedBefore, parsed, _product);
        foreach (var (_, engine) in _engines)
        {
            using var rows = engine.Query(kind: FactKind.Derived);
            foreach (var row in rows)
                check.Check(engine.Explain(row.Fact) ?? throw new InvalidOperationException($"{engine.Terms.Line(row.Fact)} is not explained."));
        }
    }

    public void Compare(string when)
    {
        var expected = Expected(out var asserted);
        foreach (var (settings, engine) in _engines)
        {
            Same(expected, Facts(engine), $"{settings}, {when}");
            Assert.Equal(asserted.Count, engine.Asserted);
            Assert.Equal(expected.Count - asserted.Count, engine.Derived);
        }
        (_before, _assertedBefore) = (expected, asserted);
    }

    private Dictionary<Triple, double> Expected(out HashSet<Triple> asserted)
    {
        asserted = [.. _documents.Values.SelectMany(facts => facts), .. _values.Select(pair => new Triple(pair.Key.Item1, pair.Key.Item2, pair.Value)), .. _single];
        return ReferenceReasoner.Run(asserted, ParsedLevels(), _product);
    }

    private IEnumerable<IReadOnlyList<Rule>> ParsedLevels() => Enumerable.Range(0, 4).Select(level =>
        (IReadOnlyList<Rule>)[.. Knowledge.Rules(string.Concat(_current.Where(index => index >= 0).Select(index => string.Concat(_programs[index].Levels[level])))).Rules]);

    // The commit must tell just what is different now.
    private void All(Func<KnowledgeBase, Commit> change)
    {
        foreach (var (settings, engine) in _engines)
        {
            var before = Derived(engine);
            var assertedBefore = engine.Lines(FactKind.Asserted).ToHashSet();
            using var commit = change(engine);
            Assert.True(commit.Error is null, commit.Error?.Message);
            var after = Derived(engine);
            var told = commit.Derived.Select(change => $"{change.Kind} {engine.Terms.Line(change.Fact)} {change.Before:R} {(change.Kind == ChangeKind.Vanished ? 0 : change.Degree):R}").Order(StringComparer.Ordinal).ToList();
            var expected = before.Keys.Union(after.Keys).Where(line => before.GetValueOrDefault(line) != after.GetValueOrDefault(line)).Select(line =>
                $"{(!before.ContainsKey(line) ? ChangeKind.Appeared : !after.ContainsKey(line) ? ChangeKind.Vanished : ChangeKind.DegreeChanged)} {line} {before.GetValueOrDefault(line):R} {after.GetValueOrDefault(line):R}").Order(StringComparer.Ordinal).ToList();
            Assert.True(expected.SequenceEqual(told), $"{settings}: the changes are\n{string.Join('\n', expected)}\nand told were\n{string.Join('\n', told)}");
            var assertedNow = engine.Lines(FactKind.Asserted).ToHashSet();
            assertedNow.SymmetricExceptWith(assertedBefore);
            Assert.Equal(assertedNow.Order(StringComparer.Ordinal), commit.Asserted.Select(fact => engine.Terms.Line(fact)).Order(StringComparer.Ordinal));
        }
    }

    private static Dictionary<string, double> Derived(KnowledgeBase engine) => engine.Degrees(FactKind.Derived);

    private static Commit PutRules(KnowledgeBase engine, string name, string text) => engine.Put(Knowledge.Rules(text, name));

    private static Commit Apply(KnowledgeBase engine, List<(int Kind, int S, int P, int O)> items)
    {
        using var batch = Batch(engine, items, clear: false);
        return engine.Apply(batch);
    }

    private static FactBatch Batch(KnowledgeBase engine, List<(int Kind, int S, int P, int O)> items, bool clear)
    {
        var batch = new FactBatch(engine);
        if (clear)
            batch.TakeAllReplaced();
        foreach (var (kind, s, p, o) in items)
        {
            var subject = engine.Name($"e{s}");
            var (node, link, target) = RandomProgram.ListFact(s, p, o);
            switch (kind)
            {
                case < 4:
                    batch.Replace(subject, engine.Name($"v{p % 2}"), engine.Number(o), tag: o + 1);
                    break;
                case 4:
                    batch.Take(subject, engine.Name($"v{p % 2}"));
                    break;
                case < 7:
                    batch.Assert(subject, engine.Name($"b0{p}"), engine.Name($"e{o % RandomProgram.Entities}"));
                    break;
                case 8:
                    batch.Assert(engine.Terms.Intern(node), engine.Terms.Intern(link), engine.Terms.Intern(target));
                    break;
                case 9:
                    batch.Retract(engine.Terms.Intern(node), engine.Terms.Intern(link), engine.Terms.Intern(target));
                    break;
                default:
                    batch.Retract(subject, engine.Name($"b0{p}"), engine.Name($"e{o % RandomProgram.Entities}"));
                    break;
            }
        }
        return batch;
    }

    private void Remember(int kind, int s, int p, int o)
    {
        var (subject, value, edge, other) = (Name($"e{s}"), Name($"v{p % 2}"), Name($"b0{p}"), Name($"e{o % RandomProgram.Entities}"));
        switch (kind)
        {
            case < 4:
                _values[(subject, value)] = Term.Integer(o);
                break;
            case 4:
                _values.Remove((subject, value));
                break;
            case < 7:
                _single.Add(new Triple(subject, edge, other));
                break;
            case 8:
                _single.Add(RandomProgram.ListFact(s, p, o));
                break;
            case 9:
                _single.Remove(RandomProgram.ListFact(s, p, o));
                break;
            default:
                _single.Remove(new Triple(subject, edge, other));
                break;
        }
    }

    private static Term Name(string local) => Term.Iri("http://e/" + local);

    private IEnumerable<Triple> Triples(FactDocument document)
    {
        var terms = _engines[0].Knowledge.Terms;
        for (var i = 0; i < document.Terms.Length; i += 3)
            yield return new Triple(terms.Get(document.Terms[i]), terms.Get(document.Terms[i + 1]), terms.Get(document.Terms[i + 2]));
    }

    private static Dictionary<string, double> Facts(KnowledgeBase engine) => engine.Degrees();

    private void Same(Dictionary<Triple, double> expected, Dictionary<string, double> found, string when)
    {
        var lines = expected.ToDictionary(pair => pair.Key.ToString(), pair => pair.Value, StringComparer.Ordinal);
        var differences = lines.Keys.Union(found.Keys).Where(line => !IsSame(lines.GetValueOrDefault(line), found.GetValueOrDefault(line)))
            .Select(line => $"{line} expected {lines.GetValueOrDefault(line):R}, found {found.GetValueOrDefault(line):R}").Order(StringComparer.Ordinal).ToList();
        Assert.True(differences.Count == 0, $"{when}:\n{string.Join('\n', differences)}\nthe rules:\n{Rules}");
    }

    // Products may be taken in another order.
    private bool IsSame(double left, double right) => left == right || (_product && Math.Abs(left - right) < 1e-12);
}
