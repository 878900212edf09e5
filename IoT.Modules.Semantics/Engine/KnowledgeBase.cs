using System.Collections;
using System.Diagnostics.CodeAnalysis;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Facts, rules, and what follows from them. Every call is atomic: a change holds with everything that it entails, or nothing has
/// changed and the answer says why. Calls wait for one another.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The lease is returned within the call.")]
internal sealed partial class KnowledgeBase
{
    private readonly Lock _lock = new();
    private readonly EngineOptions _options;
    private readonly FactStore _store = new();
    private readonly Reasoner _reasoner;
    private readonly Dictionary<string, int[]> _documents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<CompiledRule>> _ruleSets = new(StringComparer.Ordinal);
    private readonly Dictionary<long, int> _values = [];
    private readonly HashSet<int> _single = [];
    private readonly Stack<Action> _undo = new();
    private readonly List<ValueBefore> _valuesBefore = [];
    private readonly Stack<int> _freeRuleIds = new();
    private int _nextRuleId;

    public KnowledgeBase(EngineOptions options)
    {
        _options = options;
        _reasoner = new Reasoner(_store, Terms, options);
    }

    public TermDictionary Terms { get; } = new();

    public long Asserted => _reasoner.Asserted;

    public long Derived => _reasoner.Derived;

    /// <summary>Memory that facts and terms take.</summary>
    public long Bytes => _store.Bytes + Terms.Bytes + (_values.Count * 40L) + (_documents.Values.Sum(rows => (long)rows.Length) * 4);

    /// <summary>A model takes the place of the one of the same name. Takes the document over.</summary>
    public Commit Put(FactDocument document, CancellationToken cancellationToken = default) => Load([document], [], cancellationToken);

    /// <summary>A set of rules takes the place of the one of the same name.</summary>
    public Commit Put(RuleSet rules, CancellationToken cancellationToken = default) => Load([], [rules], cancellationToken);

    /// <summary>Several at once: all of them, or none.</summary>
    public Commit Load(IReadOnlyList<FactDocument> documents, IReadOnlyList<RuleSet> ruleSets, CancellationToken cancellationToken = default)
    {
        try
        {
            return Change(() => Set(documents, ruleSets), isLoad: true, cancellationToken);
        }
        finally
        {
            foreach (var document in documents)
                document.Dispose();
            // Of a document that was refused nothing is left before other terms come behind its own.
            lock (_lock)
                EndSweep();
        }
    }

    public Commit RemoveFacts(string name, CancellationToken cancellationToken = default) => Change(() => SetDocument(name, []), isLoad: false, cancellationToken);

    public Commit RemoveRules(string name, CancellationToken cancellationToken = default) => Change(() => SetRules([(name, null)]), isLoad: false, cancellationToken);

    public CheckResult Check(FactDocument document, CancellationToken cancellationToken = default) => Try(() => Set([document], []), cancellationToken);

    public CheckResult Check(RuleSet rules, CancellationToken cancellationToken = default) => Try(() => Set([], [rules]), cancellationToken);

    public CheckResult CheckRemoveFacts(string name, CancellationToken cancellationToken = default) => Try(() => SetDocument(name, []), cancellationToken);

    public CheckResult CheckRemoveRules(string name, CancellationToken cancellationToken = default) => Try(() => SetRules([(name, null)]), cancellationToken);

    /// <summary>Facts beside documents. Goes on when the memory limit is reached.</summary>
    public Commit Apply(FactBatch batch, CancellationToken cancellationToken = default) => Change(() => Set(batch), isLoad: false, cancellationToken);

    /// <summary>Makes changes, lets someone look at what follows from them, and takes them back. Null when they can't be made.</summary>
    public T? Overlay<T>(FactBatch batch, Func<Commit, T> read, out EngineError? error, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            _reasoner.Begin(isLimited: false, cancellationToken);
            var rules = _reasoner.Rules;
            try
            {
                error = Set(batch);
                if (error is not null)
                    return default;
                _reasoner.Run();
                var (derived, asserted) = _reasoner.Changes();
                using var commit = new Commit(null, derived, asserted, Terms.Lease());
                return read(commit);
            }
            catch (EngineException exception)
            {
                error = exception.Error;
                return default;
            }
            finally
            {
                Undo(rules);
                Sweep();
            }
        }
    }

    private Commit Change(Func<EngineError?> set, bool isLoad, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            EndSweep();
            _reasoner.Begin(isLoad, cancellationToken);
            var rules = _reasoner.Rules;
            var isDone = false;
            EngineError? error;
            try
            {
                error = set();
                if (error is null)
                {
                    _reasoner.Run();
                    if (isLoad)
                        error = MemoryError();
                }
                if (error is null)
                {
                    var lease = Terms.Lease();
                    var (derived, asserted) = _reasoner.Changes();
                    _reasoner.Commit();
                    _undo.Clear();
                    _valuesBefore.Clear();
                    if (!ReferenceEquals(rules, _reasoner.Rules))
                    {
                        foreach (var gone in rules.Rules.Except(_reasoner.Rules.Rules))
                            _freeRuleIds.Push(gone.Id);
                    }
                    isDone = true;
                    Sweep();
                    return new Commit(null, derived, asserted, lease);
                }
            }
            catch (EngineException exception)
            {
                error = exception.Error;
            }
            finally
            {
                if (!isDone)
                {
                    Undo(rules);
                    // What has been refused may have left many names behind.
                    Sweep(isForced: isLoad);
                }
            }
            return new Commit(error, [], [], null);
        }
    }

    private CheckResult Try(Func<EngineError?> set, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _reasoner.Begin(isLimited: true, cancellationToken);
            var rules = _reasoner.Rules;
            try
            {
                if (set() is { } error)
                    return new CheckResult(error, 0, 0);
                _reasoner.Run();
                if (MemoryError() is { } tooMuch)
                    return new CheckResult(tooMuch, 0, 0);
                var (appeared, vanished) = _reasoner.Count();
                return new CheckResult(null, appeared, vanished);
            }
            catch (EngineException exception)
            {
                return new CheckResult(exception.Error, 0, 0);
            }
            finally
            {
                Undo(rules);
                Sweep();
            }
        }
    }

    private EngineError? MemoryError() => Bytes <= _options.MemoryLimitBytes
        ? null
        : new EngineError(EngineErrorKind.MemoryLimit, $"facts would take {Bytes >> 20} MiB, more than the limit of {_options.MemoryLimitBytes >> 20} MiB");

    private void Undo(RuleBase rules)
    {
        for (var i = _valuesBefore.Count - 1; i >= 0; i--)
        {
            var (key, row, tag) = _valuesBefore[i];
            if (key == 0)
                _store.SetTag(row, tag);
            else if (row != 0)
                _values[key] = row;
            else
                _values.Remove(key);
        }
        _valuesBefore.Clear();
        while (_undo.TryPop(out var undo))
            undo();
        _reasoner.Rollback(rules);
    }

    private EngineError? Set(IReadOnlyList<FactDocument> documents, IReadOnlyList<RuleSet> ruleSets)
    {
        foreach (var document in documents)
            SetDocument(document.Name, document.Facts);
        foreach (var rules in ruleSets)
        {
            using var facts = FactDocument.Of(Terms, FactsBeside(rules.Name), rules.Facts);
            SetDocument(facts.Name, facts.Facts);
        }
        return ruleSets.Count == 0 ? null : SetRules([.. ruleSets.Select(rules => (rules.Name, (RuleSet?)rules))]);
    }

    // Facts that stand beside rules are a document of their own; no model can have this name.
    private static string FactsBeside(string rules) => "rules " + rules;

    private EngineError? SetDocument(string name, List<AssertedFact> facts)
    {
        var rows = _reasoner.Assert(facts);
        var before = _documents.GetValueOrDefault(name);
        foreach (var index in before ?? [])
            _reasoner.Retract(index);
        if (rows.Count > 0)
            _documents[name] = [.. rows];
        else
            _documents.Remove(name);
        _undo.Push(() =>
        {
            if (before is null)
                _documents.Remove(name);
            else
                _documents[name] = before;
        });
        return null;
    }

    private EngineError? SetRules(IReadOnlyList<(string Name, RuleSet? Rules)> sets)
    {
        var before = new Dictionary<string, List<CompiledRule>>(_ruleSets, StringComparer.Ordinal);
        var issued = new List<int>();
        _undo.Push(() =>
        {
            _ruleSets.Clear();
            foreach (var (name, rules) in before)
                _ruleSets.Add(name, rules);
            foreach (var id in issued)
                _freeRuleIds.Push(id);
        });
        var named = new Dictionary<string, RuleSet?>(StringComparer.Ordinal);
        foreach (var (name, rules) in sets)
            named[name] = rules;
        var conclusions = new Conclusions(
            _ruleSets.Where(pair => !named.ContainsKey(pair.Key)).SelectMany(pair => pair.Value).Select(rule => rule.Source)
                .Concat(named.Values.OfType<RuleSet>().SelectMany(rules => rules.Rules)),
            Terms);
        foreach (var (name, rules) in sets)
        {
            if (rules is null)
            {
                _ruleSets.Remove(name);
                SetDocument(FactsBeside(name), []);
                continue;
            }
            _ruleSets[name] = [.. rules.Rules.Select(Compiled)];
        }
        // Whether a value may go unseen depends on what all rules conclude: a rule for which that has changed is another one.
        foreach (var (name, rules) in _ruleSets.Where(pair => !named.ContainsKey(pair.Key)).ToList())
        {
            if (!rules.TrueForAll(IsCurrent))
                _ruleSets[name] = [.. rules.Select(rule => IsCurrent(rule) ? rule : Compiled(rule.Source))];
        }
        if (RuleBase.Of([.. _ruleSets.OrderBy(pair => pair.Key, StringComparer.Ordinal).SelectMany(pair => pair.Value)], Terms, out var error) is not { } next)
            return error;
        _reasoner.Remember(_reasoner.Rules.Rules.Except(next.Rules));
        _reasoner.Replace(next);
        return null;

        bool IsCurrent(CompiledRule rule) => Thresholds.Of(rule, conclusions)?.Atom == rule.Threshold?.Atom;

        CompiledRule Compiled(Rule rule)
        {
            var compiled = new CompiledRule(rule, Terms, conclusions) { Id = _freeRuleIds.TryPop(out var free) ? free : _nextRuleId++ };
            issued.Add(compiled.Id);
            return compiled;
        }
    }

    private EngineError? Set(FactBatch batch)
    {
        foreach (var item in batch.Items)
        {
            switch (item.Kind)
            {
                case FactBatchKind.Replace:
                    var value = _reasoner.Assert(item.Subject, item.Predicate, item.Object);
                    SetValue(((long)item.Subject << 32) | (uint)item.Predicate, value);
                    SetTag(value, item.Tag);
                    break;
                case FactBatchKind.Take:
                    SetValue(((long)item.Subject << 32) | (uint)item.Predicate, 0);
                    break;
                case FactBatchKind.TakeAll:
                    foreach (var key in _values.Keys.ToList())
                        SetValue(key, 0);
                    break;
                case FactBatchKind.Assert:
                    var index = _reasoner.Assert(item.Subject, item.Predicate, item.Object);
                    if (_single.Add(index))
                        _undo.Push(() => _single.Remove(index));
                    else
                        _reasoner.Retract(index);
                    SetTag(index, item.Tag);
                    break;
                case FactBatchKind.Retract:
                    var found = _store.Find(item.Subject, item.Predicate, item.Object);
                    if (found == 0 || !_single.Remove(found))
                        break;
                    _undo.Push(() => _single.Add(found));
                    _reasoner.Retract(found);
                    break;
            }
        }
        return null;
    }

    private void SetValue(long key, int row)
    {
        _values.TryGetValue(key, out var before);
        if (before != 0)
            _reasoner.Retract(before);
        if (before != 0 && before != row)
        {
            SetTag(before, 0);
            if (row != 0)
                _reasoner.NoteReplaced(before, row);
        }
        if (row != 0)
            _values[key] = row;
        else
            _values.Remove(key);
        _valuesBefore.Add(new(key, before, 0));
    }

    private void SetTag(int row, long tag)
    {
        var before = _store.TagOf(row);
        if (before == tag)
            return;
        _store.SetTag(row, tag);
        _valuesBefore.Add(new(0, row, before));
    }

    /// <summary>A value's row, or with no key a row's tag, before the change. Values and tags change in no way that another undo minds.</summary>
    private readonly record struct ValueBefore(long Key, int Row, long Tag);

    // Values that have been replaced leave their literals behind.
    private void Sweep(bool isForced = false)
    {
        EndSweep();
        if (!Terms.WantsSweep && !(isForced && !Terms.IsSweeping))
            return;
        var used = new BitArray(Terms.Limit);
        for (var index = 1; index < _store.Limit; index++)
        {
            ref var row = ref _store.Rows[index];
            if (row.S != 0)
                used[row.S] = used[row.P] = used[row.O] = true;
        }
        foreach (var rule in _reasoner.Rules.Rules)
        {
            foreach (var constant in rule.Constants)
                used[constant] = true;
        }
        Terms.BeginSweep(used);
    }

    private void EndSweep()
    {
        if (Terms.EndSweep())
            _reasoner.Forget();
    }
}
