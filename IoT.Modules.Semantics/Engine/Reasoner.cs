using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Keeps what follows from what is asserted. Each derived fact stands on one way to satisfy one rule, its witness: the best, and among
/// equals the first. Witnesses never go in a circle, so a fact whose witness is untouched by a change still holds, in the same degree,
/// and only what stands on something lost is looked at again. All changes since <see cref="Begin"/> are in a log, and can be undone.
/// </summary>
internal sealed partial class Reasoner(FactStore store, TermDictionary terms, EngineOptions options)
{
    private readonly List<LogEntry> _log = [];
    private int[] _logOf = new int[1024];
    private readonly PriorityQueue<int, int> _dirty = new();
    private bool[] _isDirty = [];
    private readonly List<(int Before, int After)> _replaced = [];
    private readonly List<int> _suspects = [];
    private readonly List<int> _changed = [];
    private readonly Planner _planner = new(store);
    private readonly PlanCompiler _compiler = new(options);
    private readonly Workload _workload = new(options, () => store.Bytes + terms.Bytes);
    private readonly Dictionary<(CompiledRule, int), Plan> _supports = [];
    private Evaluator? _evaluator;
    private HashSet<CompiledRule> _new = [];
    private int _stamp = 1;
    private int _began;

    public RuleBase Rules { get; private set; } = RuleBase.Empty;

    public FactStore Store => store;

    /// <summary>Facts that are asserted.</summary>
    public long Asserted { get; private set; }

    /// <summary>Facts that are derived and not asserted.</summary>
    public long Derived { get; private set; }

    private Evaluator Evaluator => _evaluator ??= new Evaluator(store, terms, options, _workload, _compiler);

    /// <summary>Begins a transaction.</summary>
    public void Begin(bool isLimited, CancellationToken cancellationToken)
    {
        if (_stamp > int.MaxValue / 2)
            Restamp();
        _began = ++_stamp;
        _workload.Begin();
        (_workload.Cancellation, _workload.IsLimited) = (cancellationToken, isLimited);
        _workload.Derived = Derived;
    }

    /// <summary>One more asserts a fact.</summary>
    public int Assert(int s, int p, int o)
    {
        var index = store.GetOrAdd(s, p, o, out var isNew);
        if (isNew && terms.IsSweeping)
            terms.Keep(s, p, o);
        Touch(index);
        store.Rows[index].Info++;
        return index;
    }

    /// <summary>A document asserts each of its facts once; their rows.</summary>
    public List<int> Assert(List<AssertedFact> facts)
    {
        var rows = new List<int>(facts.Count);
        if (IsManyFor(facts.Count))
        {
            AssertNew(facts, rows);
            return rows;
        }
        foreach (var fact in facts)
        {
            if (Once(Assert(fact.Subject, fact.Predicate, fact.Object)) is var index and not 0)
                rows.Add(index);
        }
        Unlist(rows);
        return rows;
    }

    // 0: the document has asserted it already.
    private int Once(int index)
    {
        ref var row = ref store.Rows[index];
        if ((row.Info & Row.Listed) == 0)
        {
            row.Info |= Row.Listed;
            return index;
        }
        Retract(index);
        return 0;
    }

    private void Unlist(List<int> rows)
    {
        foreach (var index in rows)
            store.Rows[index].Info &= ~Row.Listed;
    }

    /// <summary>One fewer asserts it.</summary>
    public void Retract(int index)
    {
        Touch(index);
        store.Rows[index].Info--;
    }

    /// <summary>One value takes the place of another: both have been told of, and together they may mean less.</summary>
    public void NoteReplaced(int before, int after)
    {
        if (Rules.HasThresholds(store.Rows[after].P))
            _replaced.Add((before, after));
    }

    /// <summary>These rules take the place of those in force.</summary>
    public void Replace(RuleBase rules)
    {
        var before = Rules;
        Rules = rules;
        _isDirty = new bool[rules.Strata.Count];
        _supports.Clear();
        _new = [.. rules.Rules.Except(before.Rules)];
        foreach (var rule in _plans.Keys.Except(rules.Rules).ToList())
            _plans.Remove(rule);
        foreach (var rule in _new)
            Wake(rule.Stratum);
        var gone = new HashSet<int>(before.Rules.Except(rules.Rules).Select(rule => rule.Id));
        if (gone.Count == 0)
            return;
        for (var index = 1; index < store.Limit; index++)
        {
            ref var row = ref store.Rows[index];
            if (row.S != 0 && row.Holds && row.Rule != Row.ByAssertion && gone.Contains(row.Rule))
            {
                Touch(index);
                Hide(ref store.Rows[index]);
            }
        }
    }

    /// <summary>Derives what follows from what has been changed since <see cref="Begin"/>.</summary>
    public void Run()
    {
        var touched = _log.Count;
        if (!options.Incremental || IsMuch())
        {
            RunAnew();
            return;
        }
        foreach (var (before, after) in _replaced)
            SettleReplaced(before, after);
        for (var i = 0; i < touched; i++)
            Settle(_log[i].Row);
        while (_dirty.TryDequeue(out var stratum, out _))
        {
            _isDirty[stratum] = false;
            RunStratum(stratum);
        }
        _new.Clear();
    }

    // What is put in place of the same again is no change.
    private bool IsMuch()
    {
        var least = Math.Max(1_000, (Asserted + Derived) / 2);
        if (_log.Count <= least)
            return false;
        var changed = 0;
        foreach (var entry in _log)
        {
            ref var row = ref store.Rows[entry.Row];
            if (entry.WasAsserted != row.IsAsserted || entry.Held != row.Holds)
                changed++;
        }
        return changed > least;
    }

    /// <summary>Everything is as it was.</summary>
    public void Rollback(RuleBase rules)
    {
        for (var i = _log.Count - 1; i >= 0; i--)
        {
            var entry = _log[i];
            ref var row = ref store.Rows[entry.Row];
            if ((row.Info & Row.Created) != 0)
            {
                store.Remove(entry.Row);
                continue;
            }
            (row.Stamp, row.Degree, row.Witness, row.Rule, row.Info) = (entry.Stamp, entry.Degree, entry.Witness, entry.Rule, entry.Info);
        }
        if (!ReferenceEquals(Rules, rules))
        {
            Rules = rules;
            // Rules that are in both were given the strata of what is taken back.
            for (var stratum = 0; stratum < rules.Strata.Count; stratum++)
                rules.Strata[stratum].Rules.ForEach(rule => rule.Stratum = stratum);
            _isDirty = new bool[rules.Strata.Count];
            _supports.Clear();
        }
        EndTransaction();
    }

    /// <summary>Terms have been forgotten.</summary>
    public void Forget()
    {
        _evaluator?.Forget();
        _workers.ForEach(worker => worker.Forget());
    }

    private void EndTransaction()
    {
        _log.Clear();
        _replaced.Clear();
        if (_log.Capacity > 1 << 16)
        {
            // It was a large one.
            _log.Capacity = 1 << 10;
            _logOf = [];
            store.Trim();
        }
        _dirty.Clear();
        Array.Clear(_isDirty);
        _new.Clear();
        _suspects.Clear();
        _changed.Clear();
        foreach (var triggers in _pending)
        {
            triggers.Lost.Clear();
            triggers.Gained.Clear();
        }
        _pending.Clear();
        foreach (var stratum in _withRetries)
            stratum.Retries.Clear();
        _withRetries.Clear();
        Evaluator.Reset();
        _workers.ForEach(worker => worker.Reset());
        _parts.Clear();
        _isAnew = false;
        _workload.Cancellation = default;
    }

    private readonly List<Trigger> _pending = [];
    private readonly List<Stratum> _withRetries = [];

    // Its state before the transaction goes to the log, once.
    private void Touch(int index)
    {
        ref var row = ref store.Rows[index];
        if ((row.Info & Row.Logged) != 0)
            return;
        if (index >= _logOf.Length)
            Array.Resize(ref _logOf, store.Rows.Length);
        _logOf[index] = _log.Count;
        _log.Add(new LogEntry(index, row.Stamp, row.Rule, row.Info, row.Degree, row.Witness));
        row.Info |= Row.Logged;
    }

    // Of values whose predicate is concluded by no rule: both rows are what assertions make of them.
    private void SettleReplaced(int before, int after)
    {
        ref var old = ref store.Rows[before];
        ref var row = ref store.Rows[after];
        if ((old.Info & row.Info & Row.Replaced) != 0 || !old.Held || old.IsAsserted || row.Held || !row.IsAsserted || !Rules.HasThresholds(row.P))
            return;
        old.Info |= Row.Replaced;
        row.Info |= Row.Replaced;
        Rules.DispatchReplaced(before, after, old, row, _wake ??= Wake);
    }

    // What the change of assertions means for a fact, before anything is derived.
    private void Settle(int index)
    {
        ref var row = ref store.Rows[index];
        var entry = _log[_logOf[index]];
        if (row.IsAsserted)
        {
            if (entry.WasAsserted)
                return;
            var isNews = !entry.Held || entry.Degree < 1;
            Set(ref row, 1, Row.ByAssertion, 0, isNews ? ++_stamp : entry.Stamp);
            if (isNews)
                Send(index, isLost: false, 0);
            return;
        }
        if (entry.WasAsserted)
            Hide(ref row);
        if (entry.Held && !row.Holds)
        {
            // A rule may hold it up as well: that is found out when the rule's stratum comes.
            Send(index, isLost: true, 0);
            Retry(index, 0);
        }
    }

    private static void Hide(ref Row row) => (row.Stamp, row.Degree, row.Rule, row.Witness) = (Row.Hidden, 0, Row.ByAssertion, 0);

    private static void Set(ref Row row, double degree, int rule, ulong witness, int stamp) =>
        (row.Stamp, row.Degree, row.Rule, row.Witness) = (stamp, degree, rule, witness);

    private void Send(int index, bool isLost, int from, int to = int.MaxValue)
    {
        ref var row = ref store.Rows[index];
        Rules.Dispatch(index, row, isLost, from, to, (row.Info & Row.Replaced) != 0, _wake ??= Wake);
    }

    private Action<Trigger>? _wake;

    private void Wake(Trigger trigger)
    {
        if (trigger.Lost.Count + trigger.Gained.Count == 1)
            _pending.Add(trigger);
        Wake(trigger.Rule.Stratum);
    }

    private void Wake(int stratum)
    {
        if (_isDirty[stratum])
            return;
        _isDirty[stratum] = true;
        _dirty.Enqueue(stratum, stratum);
    }

    private void Retry(int index, int from)
    {
        ref var row = ref store.Rows[index];
        foreach (var (rule, head) in Rules.HeadsFor(row.P))
        {
            if (rule.Stratum < from || !RuleBase.MayBe(rule, head, row))
                continue;
            var stratum = Rules.Strata[rule.Stratum];
            if (stratum.Retries.Count > 0 && stratum.Retries[^1] == index)
                continue;
            if (stratum.Retries.Count == 0)
                _withRetries.Add(stratum);
            stratum.Retries.Add(index);
            Wake(rule.Stratum);
        }
    }

    private void Restamp()
    {
        for (var index = 1; index < store.Limit; index++)
        {
            if (store.Rows[index].Holds)
                store.Rows[index].Stamp = 1;
        }
        _stamp = 1;
    }

    private readonly record struct LogEntry(int Row, int Stamp, int Rule, int Info, double Degree, ulong Witness)
    {
        public bool Held => Stamp != Engine.Row.Hidden;

        public bool WasAsserted => (Info & Engine.Row.AssertedMask) != 0;

        public bool WasDerived => Held && !WasAsserted;
    }
}

internal enum ChangeKind
{
    Appeared,
    Vanished,
    DegreeChanged,
}

/// <summary>A change of a fact that is derived and not asserted.</summary>
/// <param name="Degree">Now; 0 when it has vanished.</param>
/// <param name="Before">0 when it has appeared.</param>
/// <param name="Rule">What it stands on, or stood on.</param>
internal readonly record struct FactChange(TripleId Fact, ChangeKind Kind, double Degree, double Before, Rules.RuleInfo? Rule);
