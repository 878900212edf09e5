using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>All rules in force, in strata, with what finds those that a fact concerns.</summary>
internal sealed class RuleBase
{
    private readonly TermDictionary _terms;
    private readonly Dictionary<int, PredicateTriggers> _byPredicate = [];
    private readonly List<Trigger> _forAny = [];
    private readonly Dictionary<int, List<(CompiledRule Rule, int Head)>> _headsByPredicate = [];
    private readonly List<(CompiledRule Rule, int Head)> _headsForAny = [];
    private readonly CompiledRule?[] _byId;
    private readonly List<Trigger> _lost = [];
    private readonly List<Trigger> _gained = [];

    private RuleBase(IReadOnlyList<CompiledRule> rules, List<Stratum> strata, TermDictionary terms)
    {
        (Rules, Strata, _terms) = (rules, strata, terms);
        _byId = new CompiledRule?[rules.Select(rule => rule.Id + 1).DefaultIfEmpty(0).Max()];
        TriggersOf = [.. strata.Select(_ => new List<Trigger>())];
        foreach (var rule in rules)
        {
            _byId[rule.Id] = rule;
            for (var part = 0; part < rule.Body.Count; part++)
                AddTriggers(rule, rule.Body[part], part, isNested: false);
            for (var head = 0; head < rule.Heads.Length; head++)
                AddHead(rule, head);
        }
        foreach (var list in _headsByPredicate.Values)
            list.Sort((a, b) => b.Rule.Confidence.CompareTo(a.Rule.Confidence));
        foreach (var triggers in _byPredicate.Values)
            triggers.Sort();
    }

    public static RuleBase Empty { get; } = new([], [], new TermDictionary());

    public IReadOnlyList<CompiledRule> Rules { get; }

    public List<Stratum> Strata { get; }

    /// <summary>By stratum.</summary>
    public List<Trigger>[] TriggersOf { get; }

    public CompiledRule? this[int id] => id >= 0 && id < _byId.Length ? _byId[id] : null;

    /// <summary>The rules together; null and what is wrong when they can't be.</summary>
    public static RuleBase? Of(IReadOnlyList<CompiledRule> rules, TermDictionary terms, out EngineError? error)
    {
        error = Stratifier.Assign(rules, out var strata);
        return error is null ? new RuleBase(rules, strata, terms) : null;
    }

    /// <summary>Tells the patterns in rules of some strata that may match a fact.</summary>
    /// <param name="isReplaced">Those that only compare its value with constants are told by <see cref="DispatchReplaced"/>.</param>
    public void Dispatch(int index, in Row row, bool isLost, int from, int to, bool isReplaced, Action<Trigger> wake)
    {
        foreach (var trigger in _forAny)
            Tell(trigger, index, isLost, from, to, wake);
        if (!_byPredicate.TryGetValue(row.P, out var triggers))
            return;
        foreach (var group in triggers.For(row.S, row.O))
        {
            foreach (var trigger in group.Plain)
                Tell(trigger, index, isLost, from, to, wake);
            if (group.Thresholds is null || isReplaced)
                continue;
            _gained.Clear();
            group.Thresholds.Passed(row.O, _gained);
            foreach (var trigger in _gained)
                Tell(trigger, index, isLost, from, to, wake);
        }
    }

    /// <summary>One value has taken the place of another: tells the patterns whose thresholds lie between them.</summary>
    public void DispatchReplaced(int before, int after, in Row old, in Row row, Action<Trigger> wake)
    {
        if (!_byPredicate.TryGetValue(row.P, out var triggers))
            return;
        foreach (var group in triggers.For(row.S, 0))
        {
            if (group.Thresholds is null)
                continue;
            _lost.Clear();
            _gained.Clear();
            group.Thresholds.Crossed(old.O, row.O, _lost, _gained);
            foreach (var trigger in _lost)
                Tell(trigger, before, isLost: true, 0, int.MaxValue, wake);
            foreach (var trigger in _gained)
                Tell(trigger, after, isLost: false, 0, int.MaxValue, wake);
        }
    }

    public bool LooksAt(int predicate) => _forAny.Count > 0 || _byPredicate.ContainsKey(predicate);

    /// <summary>Whether a pattern only compares the values of a predicate with constants. No rule concludes it then.</summary>
    public bool HasThresholds(int predicate) => _byPredicate.TryGetValue(predicate, out var triggers) && triggers.HasThresholds;

    /// <summary>Conclusions of rules that a fact with this predicate may be; look at the object with <see cref="MayBe"/>.</summary>
    public List<(CompiledRule Rule, int Head)> HeadsFor(int predicate) => _headsByPredicate.GetValueOrDefault(predicate, _headsForAny);

    public static bool MayBe(CompiledRule rule, int head, in Row row)
    {
        var (s, o) = (rule.Heads[head].S, rule.Heads[head].O);
        return (!Operand.IsConstant(o) || rule.Resolve(o) == row.O) && (!Operand.IsConstant(s) || rule.Resolve(s) == row.S);
    }

    private static void Tell(Trigger trigger, int index, bool isLost, int from, int to, Action<Trigger> wake)
    {
        if (trigger.Rule.Stratum < from || trigger.Rule.Stratum > to)
            return;
        (isLost ? trigger.Lost : trigger.Gained).Add(index);
        wake(trigger);
    }

    private void AddTriggers(CompiledRule rule, CompiledPart part, int index, bool isNested)
    {
        switch (part)
        {
            case AtomPart pattern:
                var trigger = new Trigger(rule, pattern, index, isNested);
                TriggersOf[rule.Stratum].Add(trigger);
                if (!Operand.IsConstant(pattern.P))
                {
                    _forAny.Add(trigger);
                    break;
                }
                Of(rule.Resolve(pattern.P)).Add(trigger, _terms);
                break;
            case WalkPart walk:
                // Where a pattern finds the list by its node, only those lists are looked at that a changed fact is part of.
                var isUpward = !isNested && (!Operand.IsSlot(walk.List) || rule.InPatterns.Contains(walk.List));
                var atom = walk.Link with { S = isUpward ? walk.List : walk.First.S };
                var links = new Trigger(rule, atom, index, isNested) { IsUpward = isUpward };
                TriggersOf[rule.Stratum].Add(links);
                Of(Known.First).AddForAll(links);
                Of(Known.Rest).AddForAll(links);
                break;
            case AbsentPart absent:
                foreach (var inner in absent.Parts)
                    AddTriggers(rule, inner, index, isNested: true);
                break;
            case GatherPart gather:
                foreach (var inner in gather.Parts)
                    AddTriggers(rule, inner, index, isNested: true);
                break;
        }
    }

    private PredicateTriggers Of(int predicate)
    {
        if (!_byPredicate.TryGetValue(predicate, out var triggers))
            _byPredicate.Add(predicate, triggers = new PredicateTriggers());
        return triggers;
    }

    private void AddHead(CompiledRule rule, int head)
    {
        if (Operand.IsConstant(rule.Heads[head].P))
        {
            var predicate = rule.Resolve(rule.Heads[head].P);
            if (!_headsByPredicate.TryGetValue(predicate, out var list))
                _headsByPredicate.Add(predicate, list = [.. _headsForAny]);
            list.Add((rule, head));
            return;
        }
        _headsForAny.Add((rule, head));
        foreach (var list in _headsByPredicate.Values)
            list.Add((rule, head));
    }

    /// <summary>Patterns with one predicate, by the constant that they also have: the subject, otherwise the object.</summary>
    private sealed class PredicateTriggers
    {
        private readonly Group _forAll = new();
        private readonly Dictionary<int, Group> _bySubject = [];
        private readonly Dictionary<int, Group> _byObject = [];
        private readonly Group[] _found = new Group[3];

        public bool HasThresholds { get; private set; }

        public void Add(Trigger trigger, TermDictionary terms)
        {
            var (s, o) = (trigger.Atom.S, trigger.Atom.O);
            var group = Operand.IsConstant(s) ? Of(_bySubject, trigger.Rule.Resolve(s)) : Operand.IsConstant(o) ? Of(_byObject, trigger.Rule.Resolve(o)) : _forAll;
            HasThresholds |= trigger.Threshold is not null;
            if (trigger.Threshold is null)
                group.Plain.Add(trigger);
            else
                (group.Thresholds ??= new ThresholdIndex(terms)).Add(trigger);
        }

        /// <summary>Whatever constants it has.</summary>
        public void AddForAll(Trigger trigger) => _forAll.Plain.Add(trigger);

        public void Sort()
        {
            foreach (var group in _bySubject.Values.Append(_forAll))
                group.Thresholds?.Sort();
        }

        public ReadOnlySpan<Group> For(int subject, int @object)
        {
            var count = 0;
            _found[count++] = _forAll;
            if (_bySubject.Count > 0 && _bySubject.TryGetValue(subject, out var group))
                _found[count++] = group;
            if (_byObject.Count > 0 && _byObject.TryGetValue(@object, out group))
                _found[count++] = group;
            return _found.AsSpan(0, count);
        }

        private static Group Of(Dictionary<int, Group> groups, int term)
        {
            if (!groups.TryGetValue(term, out var group))
                groups.Add(term, group = new Group());
            return group;
        }
    }

    private sealed class Group
    {
        public List<Trigger> Plain { get; } = [];

        public ThresholdIndex? Thresholds { get; set; }
    }
}
