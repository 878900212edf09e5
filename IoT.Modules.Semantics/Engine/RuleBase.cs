using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>All rules in force, in strata, with what finds those that a fact concerns.</summary>
internal sealed class RuleBase
{
    private readonly Dictionary<int, PredicateTriggers> _byPredicate = [];
    private readonly List<Trigger> _forAny = [];
    private readonly Dictionary<int, List<(CompiledRule Rule, int Head)>> _headsByPredicate = [];
    private readonly List<(CompiledRule Rule, int Head)> _headsForAny = [];
    private readonly CompiledRule?[] _byId;

    private RuleBase(IReadOnlyList<CompiledRule> rules, List<Stratum> strata)
    {
        Rules = rules;
        Strata = strata;
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
    }

    public static RuleBase Empty { get; } = new([], []);

    public IReadOnlyList<CompiledRule> Rules { get; }

    public List<Stratum> Strata { get; }

    /// <summary>By stratum.</summary>
    public List<Trigger>[] TriggersOf { get; }

    public CompiledRule? this[int id] => id >= 0 && id < _byId.Length ? _byId[id] : null;

    /// <summary>The rules together; null and what is wrong when they can't be.</summary>
    public static RuleBase? Of(IReadOnlyList<CompiledRule> rules, out EngineError? error)
    {
        error = Stratifier.Assign(rules, out var strata);
        return error is null ? new RuleBase(rules, strata) : null;
    }

    /// <summary>Patterns in rules of some strata that may match a fact.</summary>
    public void Dispatch(int row, int predicate, int @object, bool isLost, int from, int to, Action<Trigger> wake)
    {
        foreach (var trigger in _forAny)
            Add(trigger);
        if (!_byPredicate.TryGetValue(predicate, out var group))
            return;
        foreach (var trigger in group.ForAnyObject)
            Add(trigger);
        if (group.ByObject.TryGetValue(@object, out var exact))
        {
            foreach (var trigger in exact)
                Add(trigger);
        }

        void Add(Trigger trigger)
        {
            if (trigger.Rule.Stratum < from || trigger.Rule.Stratum > to)
                return;
            (isLost ? trigger.Lost : trigger.Gained).Add(row);
            wake(trigger);
        }
    }

    /// <summary>Conclusions of rules that a fact may be.</summary>
    public IEnumerable<(CompiledRule Rule, int Head)> HeadsFor(int predicate, int @object)
    {
        foreach (var (rule, head) in _headsByPredicate.GetValueOrDefault(predicate, _headsForAny))
        {
            var operand = rule.Heads[head].O;
            if (!Operand.IsConstant(operand) || rule.Resolve(operand) == @object)
                yield return (rule, head);
        }
    }

    public bool LooksAt(int predicate) => _forAny.Count > 0 || _byPredicate.ContainsKey(predicate);

    private void AddTriggers(CompiledRule rule, CompiledPart part, int index, bool isNested)
    {
        switch (part)
        {
            case AtomPart atom:
                var trigger = new Trigger(rule, atom, index, isNested);
                TriggersOf[rule.Stratum].Add(trigger);
                if (!Operand.IsConstant(atom.P))
                {
                    _forAny.Add(trigger);
                    break;
                }
                if (!_byPredicate.TryGetValue(rule.Resolve(atom.P), out var group))
                    _byPredicate.Add(rule.Resolve(atom.P), group = new PredicateTriggers());
                if (!Operand.IsConstant(atom.O))
                    group.ForAnyObject.Add(trigger);
                else if (group.ByObject.TryGetValue(rule.Resolve(atom.O), out var list))
                    list.Add(trigger);
                else
                    group.ByObject.Add(rule.Resolve(atom.O), [trigger]);
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

    private sealed class PredicateTriggers
    {
        public List<Trigger> ForAnyObject { get; } = [];

        public Dictionary<int, List<Trigger>> ByObject { get; } = [];
    }
}
