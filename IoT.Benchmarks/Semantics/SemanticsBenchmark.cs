using System.Diagnostics;
using System.Globalization;
using System.Text;
using IoT.Benchmarks.Runner;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;

namespace IoT.Benchmarks.Semantics;

/// <summary>The engine as a library, beside gringo and CLIPS where they are installed, and in the host.</summary>
internal sealed partial class SemanticsBenchmark : IDisposable
{
    public const string Name = "semantics";

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(6);

    private readonly BenchOptions _options;
    private readonly List<Figure> _figures;
    private readonly CancellationToken _stop;
    private readonly WorkFolder _folder;
    private readonly int _rounds;
    private readonly Site _site;

    private SemanticsBenchmark(BenchOptions options, List<Figure> figures, CancellationToken stop)
    {
        (_options, _figures, _stop, _folder) = (options, figures, stop, new WorkFolder(options.Keep));
        _rounds = options.IsQuick ? 2 : 5;
        _site = new Site(options.IsQuick ? 6_000 : 30_000, options.IsQuick ? 20_000 : 100_000);
    }

    public static async Task RunAsync(BenchOptions options, List<Figure> figures, CancellationToken cancellationToken)
    {
        using var benchmark = new SemanticsBenchmark(options, figures, cancellationToken);
        await benchmark._site.WriteAsync(benchmark._folder.Path, cancellationToken);
        if (options.Wants("turtle"))
            benchmark.Turtle();
        if (options.Wants("closure", "threads"))
            await benchmark.ClosureAsync();
        if (options.Wants("replace"))
            await benchmark.ReplaceAsync();
        if (options.Wants("thresholds"))
            benchmark.Thresholds();
        if (options.Wants("infer"))
            await benchmark.InferAsync();
        if (options.Wants("ingest"))
            await benchmark.IngestAsync();
    }

    public void Dispose() => _folder.Dispose();

    private void Turtle()
    {
        var site = new Site(_options.IsQuick ? 60_000 : 300_000, 0);
        var text = site.Turtle(withReadings: true);
        var best = Best(_rounds, () =>
        {
            var sink = new Counter();
            TurtleParser.Parse(new TermDictionary(), "site", text, null, sink, _stop);
            if (sink.Count != site.Asserted)
                throw new InvalidOperationException($"{sink.Count} triples were read, {site.Asserted} written");
        });
        _figures.Add(Figure.AtLeast(Name, $"turtle: {site.Asserted:#,##0} triples, terms into a new dictionary", site.Asserted / best, "triples/s", "1 M triples/s", 1e6, 1));
        _figures.Add(Figure.Told(Name, "turtle: bytes", text.Length / best / 1e6, "MB/s"));
    }

    private async Task ClosureAsync()
    {
        var path = _folder.Path;
        var (whole, grounded, peak) = (new List<double>(), new List<double>(), new List<double>());
        long derived = 0;
        if (_options.Wants("closure"))
        {
            var withGringo = Peers.HasGringo;
            for (var round = 0; round < _rounds; round++)
            {
                if (withGringo && await Peers.TryAsync(Peers.GroundAsync(path, _site.Asserted, counts: false, _stop)) is { } ground)
                    grounded.Add(ground.Seconds);
                else
                    withGringo = false;
                var (result, seconds) = await EngineProcess.RunAsync(path, 1, 1, _stop);
                (derived, _) = (result.Derived, 0);
                whole.Add(seconds);
                peak.Add(result.PeakMiB);
            }
            var label = string.Create(CultureInfo.InvariantCulture, $"closure: {_site.Asserted:#,##0} facts, {derived:#,##0} derived, whole process, one thread");
            if (withGringo)
            {
                if (await Peers.TryAsync(Peers.GroundAsync(path, _site.Asserted, counts: true, _stop)) is { Derived: var others } && others != derived)
                    throw new InvalidOperationException($"gringo derives {others} facts, this engine {derived}");
                _figures.Add(Figure.AtLeast(Name, label, derived / whole.Min(), "derived/s", "gringo", derived / grounded.Min(), 1));
            }
            else
                _figures.Add(Figure.Told(Name, label, derived / whole.Min(), "derived/s"));
            _figures.Add(Figure.Below(Name, "closure: peak of resident memory", peak.Max(), "MiB", 250e6 / (1 << 20)));
        }
        var (one, _) = await EngineProcess.RunAsync(path, 1, _rounds, _stop);
        var (two, _) = await EngineProcess.RunAsync(path, 2, _rounds, _stop);
        _figures.Add(Figure.Told(Name, "closure: reading the facts, best round", one.ReadSeconds * 1e3, "ms"));
        _figures.Add(Figure.AtLeast(Name, "threads: deriving with two, best round", two.Derived / two.DeriveSeconds, "derived/s", "one thread", one.Derived / one.DeriveSeconds, 1.6));
    }

    private async Task ReplaceAsync()
    {
        var updates = Math.Min(_site.Updates.Count, _options.IsQuick ? 5_000 : 20_000);
        var clips = Peers.HasClips ? await Peers.TryAsync(Peers.ReplaceAsync(_folder.Path, updates, _stop)) : null;
        var single = _site.Updates.Take(updates).ToList();
        // CLIPS is machine code from its start; here a knowledge base that is thrown away makes the runtime compile what it meets often.
        for (var (round, started) = (0, Stopwatch.GetTimestamp()); Stopwatch.GetElapsedTime(started) < WarmUp; round++)
            Replace(Load(), _site.Updates, round % 3 == 2 ? 1_000 : 1);
        var knowledge = Load();
        var seconds = Time(() => Replace(knowledge, single, 1));
        // The same facts as CLIPS has, which counts its initial one too.
        if (clips is { Facts: var facts } && facts != knowledge.Asserted + knowledge.Derived && facts != knowledge.Asserted + knowledge.Derived + 1)
            throw new InvalidOperationException($"CLIPS has {facts} facts after the updates, this engine {knowledge.Asserted + knowledge.Derived}");
        Add("replace: one reading at a time", updates / seconds, 2);
        var rest = _site.Updates.Skip(updates).ToList();
        seconds = Time(() => Replace(knowledge, rest, 1_000));
        Add("replace: in batches of 1,000", rest.Count / seconds, 5);
        CheckAgainstScratch(knowledge);

        void Add(string label, double value, double bar) => _figures.Add(clips is { Rate: var rate }
            ? Figure.AtLeast(Name, label, value, "readings/s", "CLIPS, one at a time", rate, bar)
            : Figure.Told(Name, label, value, "readings/s"));
    }

    // What has been kept up to date all the time is what is derived anew.
    private void CheckAgainstScratch(KnowledgeBase knowledge)
    {
        var last = _site.Readings.ToDictionary(reading => reading.Device, reading => reading.Value);
        foreach (var (device, value) in _site.Updates)
            last[device] = value;
        var anew = Load();
        Replace(anew, [.. last.Select(pair => (pair.Key, pair.Value))], int.MaxValue);
        if (anew.Derived != knowledge.Derived)
            throw new InvalidOperationException($"{knowledge.Derived} facts are derived after the updates, {anew.Derived} anew");
    }

    private void Thresholds()
    {
        var readings = _options.IsQuick ? 20_000 : 100_000;
        var few = WithThresholds(10);
        var many = WithThresholds(1_000);
        var (a, b) = (double.MaxValue, double.MaxValue);
        for (var round = 0; round < _rounds; round++)
        {
            a = Math.Min(a, Time(() => Wave(few, readings, round)));
            b = Math.Min(b, Time(() => Wave(many, readings, round)));
        }
        _figures.Add(Figure.AtMost(Name, "thresholds: a reading with 1,000 rules on its metric", b / readings * 1e6, "µs", "10 rules", a / readings * 1e6, 1.5));
    }

    private static KnowledgeBase WithThresholds(int count)
    {
        var text = new StringBuilder("@prefix : <http://example.org/iot#>. @prefix math: <http://www.w3.org/2000/10/swap/math#>.\n");
        for (var i = 0; i < count; i++)
            text.Append(CultureInfo.InvariantCulture, $"{{ ?s :reading ?v. ?v math:greaterThan {30 + (i * 0.5):0.0} }} => {{ ?s :above :level{i} }}.\n");
        var knowledge = new KnowledgeBase(new EngineOptions());
        Check(knowledge.Load([], [Parse(text.ToString())]));
        return knowledge;
    }

    // One reading of a hundred crosses the lowest threshold, and the next one of its device crosses it back.
    private static void Wave(KnowledgeBase knowledge, int readings, int round)
    {
        var predicate = knowledge.Terms.InternIri(Site.Names + "reading");
        var devices = Enumerable.Range(0, 1_000).Select(i => knowledge.Terms.InternIri(string.Create(CultureInfo.InvariantCulture, $"{Site.Names}d{i}"))).ToArray();
        for (var i = 0; i < readings; i++)
        {
            var value = i % 100 == 0 ? "30.2" : string.Create(CultureInfo.InvariantCulture, $"{20 + ((i + round) % 50 * 0.1):0.0}");
            using var batch = new FactBatch(knowledge);
            batch.Replace(devices[i % 997], predicate, knowledge.Terms.Intern(Term.Literal(value, Xsd.Decimal)));
            Check(knowledge.Apply(batch));
        }
    }

    private KnowledgeBase Load()
    {
        var knowledge = new KnowledgeBase(new EngineOptions());
        var facts = FactDocument.Parse(knowledge.Terms, "site", _site.Turtle(withReadings: false), null, out var error, _stop) ?? throw new InvalidOperationException(error!.ToString());
        Check(knowledge.Load([facts], [Parse(Site.Rules)], _stop));
        Replace(knowledge, _site.Readings, int.MaxValue);
        return knowledge;
    }

    private static RuleSet Parse(string text) => RuleParser.Parse("rules", Encoding.UTF8.GetBytes(text), null, out var error) ?? throw new InvalidOperationException(error!.ToString());

    private static void Replace(KnowledgeBase knowledge, List<(string Device, double Value)> readings, int size)
    {
        var predicate = knowledge.Terms.InternIri(Site.Names + "reading");
        for (var from = 0; from < readings.Count; from += Math.Min(size, readings.Count - from))
        {
            using var batch = new FactBatch(knowledge);
            for (var i = from; i < from + Math.Min(size, readings.Count - from); i++)
            {
                var value = string.Create(CultureInfo.InvariantCulture, $"{readings[i].Value:0.0}");
                batch.Replace(knowledge.Terms.InternIri(Site.Names + readings[i].Device), predicate, knowledge.Terms.Intern(Term.Literal(value, Xsd.Decimal)));
            }
            Check(knowledge.Apply(batch));
        }
    }

    private static void Check(Commit commit)
    {
        using (commit)
        {
            if (commit.Error is { } error)
                throw new InvalidOperationException(error.Message);
        }
    }

    private static double Best(int rounds, Action run)
    {
        var best = double.MaxValue;
        for (var round = 0; round < rounds; round++)
            best = Math.Min(best, Time(run));
        return best;
    }

    private static double Time(Action run)
    {
        var started = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private sealed class Counter : ITripleSink
    {
        public int Count { get; private set; }

        public void Add(int subject, int predicate, int @object) => Count++;
    }
}
