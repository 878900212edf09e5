using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Documents;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>An inference's explanation as JSON, and what it comes to.</summary>
internal sealed record Explained(string Because, double Confidence, string Rule, IReadOnlyCollection<string> Read);

/// <summary>The engine refuses what follows from the readings: nothing a sender can do about.</summary>
internal sealed class EngineRefusedException(string message) : Exception(message);

/// <summary>
/// The knowledge base with the platform's names on it: documents, the registry's facts, a value for each device and member. For whoever
/// has the turn.
/// </summary>
internal sealed class Knowledge
{
    private readonly KnowledgeBase _base;
    private readonly LatestValues _latest;
    private readonly Metrics _metrics;
    private readonly Spelling _spelling;
    private readonly Dictionary<Metric, TermId> _metricTerms = [];
    private readonly Dictionary<LiveDevice, DeviceFacts> _devices = [];
    private readonly Dictionary<string, RuleSet> _rules = new(StringComparer.Ordinal);
    private readonly HashSet<(string Document, string Rule)> _collecting = [];
    private readonly TermId _locatedIn;
    private readonly TermId _type;
    private readonly TermId _deviceClass;

    public Knowledge(EngineOptions options, LatestValues latest, Metrics metrics)
    {
        (_base, _latest, _metrics) = (new KnowledgeBase(options), latest, metrics);
        _spelling = new Spelling(_base.Terms);
        _locatedIn = _base.Terms.InternIri(Names.LocatedIn);
        _type = _base.Terms.InternIri(Rdf.Type);
        _deviceClass = _base.Terms.InternIri(Names.DeviceClass);
    }

    /// <summary>What the knowledge base has of a device.</summary>
    private sealed class DeviceFacts(TermId subject)
    {
        public TermId Subject { get; } = subject;

        /// <summary>Its values are facts.</summary>
        public bool IsIn { get; set; }

        public List<(TermId Predicate, TermId Object)> Registry { get; set; } = [];

        public HashSet<Metric> Values { get; } = [];
    }

    public KnowledgeBase Base => _base;

    public TermDictionary Terms => _base.Terms;

    public TermId LocatedIn => _locatedIn;

    public long Asserted => _base.Asserted;

    public long Derived => _base.Derived;

    public long Bytes => _base.Bytes;

    public int Rules => _rules.Values.Sum(set => set.Rules.Count);

    /// <summary>Everything at once, into an empty one.</summary>
    /// <exception cref="EngineRefusedException">They don't go together, or not within the limits.</exception>
    public void Load(IReadOnlyList<ParsedDocument> documents)
    {
        var rules = documents.Select(d => d.Rules).OfType<RuleSet>().ToList();
        using var commit = _base.Load([.. documents.Select(d => d.Facts).OfType<FactDocument>()], rules);
        if (commit.Error is { } error)
            throw new EngineRefusedException(error.Message);
        foreach (var set in rules)
            _rules[set.Name] = set;
        Watch();
    }

    /// <summary>Puts a document in its place, or takes it out when it is null. Refused, nothing has changed.</summary>
    public Outcome<KnowledgeChange> Replace(DocumentKind kind, string name, ParsedDocument? document, CancellationToken cancellationToken)
    {
        using var commit = document switch
        {
            { Rules: { } rules } => _base.Put(rules, cancellationToken),
            { Facts: { } facts } => _base.Put(facts, cancellationToken),
            _ => kind == DocumentKind.Rules ? _base.RemoveRules(name, cancellationToken) : _base.RemoveFacts(name, cancellationToken),
        };
        if (commit.Error is { } error)
            return FailureOf(error);
        if (document?.Rules is { } put)
            _rules[name] = put;
        else if (kind == DocumentKind.Rules)
            _rules.Remove(name);
        if (kind == DocumentKind.Rules)
            Watch();
        return ChangeOf(commit, kind == DocumentKind.Rules ? [RulesKey(name)] : []);
    }

    /// <summary>What <see cref="Replace"/> would do.</summary>
    public Outcome<DocumentCheck> Check(ParsedDocument document)
    {
        var check = document.Rules is { } rules ? _base.Check(rules) : _base.Check(document.Facts!);
        return check.Error is { } error ? FailureOf(error) : new DocumentCheck(check.Appear, check.Vanish);
    }

    /// <summary>Brings the registry and values that came into the facts, in one commit.</summary>
    /// <exception cref="EngineRefusedException">What follows from them is beyond a limit.</exception>
    public KnowledgeChange Apply(LiveChanges changes, Func<LiveDevice, IReadOnlyList<LiveValueState>> valuesOf)
    {
        using var batch = new FactBatch(_base);
        var subjects = new HashSet<string>(StringComparer.Ordinal);
        foreach (var state in changes.Devices)
        {
            if (state.Device.Iri is not null)
                Apply(batch, state, valuesOf, subjects);
        }
        foreach (var value in changes.Values)
        {
            if (_devices.TryGetValue(value.Entry.Device, out var device) && device.IsIn)
            {
                Apply(batch, device, value);
                subjects.Add(value.Entry.Device.Iri!);
            }
        }
        using var commit = _base.Apply(batch);
        return commit.Error is { } error ? throw new EngineRefusedException(error.Message) : ChangeOf(commit, subjects);
    }

    /// <summary>All facts that are derived and not asserted.</summary>
    public IEnumerable<DerivedFact> DerivedFacts()
    {
        using var facts = _base.Query(kind: FactKind.Derived);
        for (var i = 0; i < facts.Count; i++)
        {
            var row = facts[i];
            yield return FactOf(row.Fact, row.Degree, row.Rule);
        }
    }

    /// <summary>The delays of a rule of that name; none when there is no such rule any more.</summary>
    public RuleDelays DelaysOf(string rule) =>
        _rules.Values.SelectMany(set => set.Rules).FirstOrDefault(r => r.Name == rule) is { } found ? new RuleDelays(found.For, found.ClearAfter) : default;

    /// <summary>Why it holds; null when it does not.</summary>
    public Explained? Explain(InferenceKey key)
    {
        var terms = _base.Terms;
        var id = new TripleId(terms.Find(TermOfName(key.Subject)), terms.Find(Term.Iri(key.Predicate)), terms.Find(NTriplesTerm.Parse(key.Object)));
        return id.Subject.IsNone || id.Predicate.IsNone || id.Object.IsNone ? null : Explain(id, LiveReadingOf);
    }

    public Explained? Explain(TripleId fact, Func<Explanation, ReadingSource?> readingOf)
    {
        if (_base.Explain(fact) is not { Rule: { } rule } explanation)
            return null;
        var json = new ExplanationJson(readingOf, NoteRule);
        return new Explained(json.Of(explanation), explanation.Degree, rule.Name, json.Read);
    }

    /// <summary>The reading that a live value came from; null for other facts.</summary>
    public ReadingSource? LiveReadingOf(Explanation fact) =>
        _latest.Find(fact.Fact.Subject.Value, fact.Fact.Predicate.Value, _metrics) is { Applied: { ReadingId: var id, Ticks: var ticks } } && id == fact.Tag ? new ReadingSource(id, ticks) : null;

    /// <summary>The member that a predicate stands for; null: none.</summary>
    public Metric? MetricOf(string predicate) => predicate.StartsWith(Names.Metric, StringComparison.Ordinal) ? _metrics.Find(predicate[Names.Metric.Length..]) : null;

    public TermId TermOf(Metric metric)
    {
        if (!_metricTerms.TryGetValue(metric, out var term))
        {
            _metricTerms.Add(metric, term = _base.Terms.InternIri(metric.Iri));
            metric.IsWatched = _base.LooksAt(term);
        }
        return term;
    }

    public TermId TermOf(LiveValue value) => _base.Terms.Intern(value.ToTerm());

    public DerivedFact FactOf(TripleId fact, double degree, RuleInfo? rule) => new(_spelling.KeyOf(fact), degree, rule?.Name ?? "", rule is null ? default : new RuleDelays(rule.For, rule.ClearAfter));

    /// <summary>A subject as <see cref="InferenceKey"/> spells it.</summary>
    public static Term TermOfName(string name) => name.StartsWith("_:", StringComparison.Ordinal) ? Term.Blank(name[2..]) : Term.Iri(name);

    public static Failure FailureOf(EngineError error) => error.Kind switch
    {
        EngineErrorKind.MemoryLimit => new Failure(FailureKind.TooLarge, $"{error.Message} (Semantics__MemoryLimitMb)."),
        EngineErrorKind.DerivationLimit => ParsedDocument.Wrong($"{error.Message} (Semantics__DerivationLimit)", error.Line, error.Column),
        _ => ParsedDocument.Wrong(error.Message, error.Line, error.Column),
    };

    // No subject has a space in its name.
    private static string RulesKey(string document) => "rules " + document;

    private void NoteRule(HashSet<string> read, RuleInfo used)
    {
        read.Add(RulesKey(used.Document));
        // What it has collected may be another without a fact of the explanation being another.
        if (_collecting.Contains((used.Document, used.Name)))
            read.Add(Versions.Anything);
    }

    private void Watch()
    {
        foreach (var (metric, term) in _metricTerms)
            metric.IsWatched = _base.LooksAt(term);
        _collecting.Clear();
        foreach (var rule in _rules.Values.SelectMany(set => set.Rules).Where(rule => rule.Body.OfType<CollectPart>().Any()))
            _collecting.Add((rule.Document, rule.Name));
    }

    private void Apply(FactBatch batch, LiveDeviceState state, Func<LiveDevice, IReadOnlyList<LiveValueState>> valuesOf, HashSet<string> subjects)
    {
        subjects.Add(state.Device.Iri!);
        if (!_devices.TryGetValue(state.Device, out var device))
            _devices.Add(state.Device, device = new DeviceFacts(_base.Terms.InternIri(state.Device.Iri!)));

        var wanted = RegistryOf(state);
        foreach (var (predicate, value) in device.Registry.Except(wanted))
            batch.Retract(device.Subject, predicate, value);
        foreach (var (predicate, value) in wanted.Except(device.Registry))
            batch.Assert(device.Subject, predicate, value);
        device.Registry = wanted;

        if (state.IsRegistered && !device.IsIn)
        {
            device.IsIn = true;
            foreach (var value in valuesOf(state.Device))
                Apply(batch, device, value);
        }
        else if (!state.IsRegistered && device.IsIn)
        {
            device.IsIn = false;
            foreach (var metric in device.Values)
                batch.Take(device.Subject, TermOf(metric));
            device.Values.Clear();
        }
    }

    private void Apply(FactBatch batch, DeviceFacts device, LiveValueState value)
    {
        // Its latest reading may have had nothing that is a fact.
        if (value.Ticks == long.MinValue)
            return;
        batch.Replace(device.Subject, TermOf(value.Entry.Metric), TermOf(value.Value), value.ReadingId);
        device.Values.Add(value.Entry.Metric);
        value.Entry.Applied = (value.Ticks, value.ReadingId);
    }

    private List<(TermId Predicate, TermId Object)> RegistryOf(LiveDeviceState state)
    {
        if (!state.IsRegistered)
            return [];
        List<(TermId, TermId)> facts = [(_type, _deviceClass)];
        if (!string.IsNullOrEmpty(state.Type) && _base.Terms.InternIri(Names.OfType(state.Type)) is var type && type != _deviceClass)
            facts.Add((_type, type));
        if (!string.IsNullOrEmpty(state.Location))
            facts.Add((_locatedIn, _base.Terms.InternIri(Names.OfLocation(state.Location))));
        return facts;
    }

    private KnowledgeChange ChangeOf(Commit commit, HashSet<string> subjects)
    {
        List<DerivedFact> appeared = [], changed = [];
        List<InferenceKey> vanished = [];
        var isPlacing = false;
        foreach (var change in commit.Derived)
        {
            subjects.Add(_spelling.NameOf(change.Fact.Subject));
            isPlacing |= change.Fact.Predicate == _locatedIn;
            if (change.Kind == ChangeKind.Vanished)
                vanished.Add(_spelling.KeyOf(change.Fact));
            else
                (change.Kind == ChangeKind.Appeared ? appeared : changed).Add(FactOf(change.Fact, change.Degree, change.Rule));
        }
        foreach (var fact in commit.Asserted)
        {
            subjects.Add(_spelling.NameOf(fact.Subject));
            isPlacing |= fact.Predicate == _locatedIn;
        }
        return new KnowledgeChange(appeared, changed, vanished, subjects, isPlacing);
    }
}
