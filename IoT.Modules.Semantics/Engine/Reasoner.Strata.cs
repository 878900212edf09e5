using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>One stratum after the other.</summary>
internal sealed partial class Reasoner
{
    // Everything that is derived is derived once more.
    private void RunAnew()
    {
        for (var index = 1; index < store.Limit; index++)
        {
            ref var row = ref store.Rows[index];
            if (row.S == 0)
                continue;
            if (row.IsAsserted)
            {
                if (row.Rule != Row.ByAssertion || !row.Holds || row.Degree != 1)
                {
                    Touch(index);
                    Set(ref store.Rows[index], 1, Row.ByAssertion, 0, _stamp);
                }
            }
            else if (row.Holds)
            {
                Touch(index);
                Hide(ref store.Rows[index]);
            }
        }
        _dirty.Clear();
        _workload.Derived = 0;
        _isAnew = true;
        for (var k = 0; k < Rules.Strata.Count; k++)
        {
            _isDirty[k] = false;
            var stratum = Rules.Strata[k];
            var high = _stamp;
            var next = ++_stamp;
            _changed.Clear();
            foreach (var rule in stratum.Rules)
            {
                Evaluate(PlanOf(rule), [], int.MinValue, high);
                Flush(next);
            }
            if (stratum.IsRecursive)
                Rounds(k, next, 0);
        }
        _isAnew = false;
        _changed.Clear();
        _new.Clear();
    }

    private bool _isAnew;

    private void RunStratum(int k)
    {
        var stratum = Rules.Strata[k];
        _suspects.Clear();
        _changed.Clear();
        Undermine(k, stratum);
        Restore(k, stratum);
        Forward(k, stratum);
        foreach (var index in _suspects)
            Tell(index, k);
        foreach (var index in _changed)
            Tell(index, k);
    }

    // What stands on something lost is taken down, and what stands on that, within the stratum.
    private void Undermine(int k, Stratum stratum)
    {
        var evaluator = Evaluator;
        evaluator.SeesOldState = true;
        var isFirst = true;
        bool again;
        do
        {
            again = false;
            foreach (var trigger in Rules.TriggersOf[k])
            {
                if (trigger.IsNested && !isFirst)
                    continue;
                var rows = Worse(trigger);
                if (rows.Count == 0)
                    continue;
                trigger.Backward = Current(trigger.Backward, trigger.Rule) ?? _planner.Changed(trigger, Goal.Undermine);
                evaluator.Give(rows);
                evaluator.Run(trigger.Backward);
                foreach (var index in evaluator.Undermined)
                {
                    ref var row = ref store.Rows[index];
                    if (!row.Holds)
                        continue;
                    Touch(index);
                    Hide(ref store.Rows[index]);
                    _workload.Derived--;
                    _suspects.Add(index);
                    if (stratum.IsRecursive)
                    {
                        Send(index, isLost: true, k, k);
                        again = true;
                    }
                }
                evaluator.Undermined.Clear();
            }
            isFirst = false;
        }
        while (again);
        evaluator.SeesOldState = false;
    }

    // Rows that mean less to a pattern than before.
    private List<int> Worse(Trigger trigger)
    {
        _rows.Clear();
        if (trigger.IsNested)
        {
            // More and less both change what a negation or a list comes to; the rows are needed once more to go forward.
            _rows.AddRange(trigger.Lost);
            _rows.AddRange(trigger.Gained);
            return Apart(trigger, _rows);
        }
        foreach (var index in trigger.Lost)
        {
            ref var row = ref store.Rows[index];
            if (row.Held && (!row.Holds || row.Degree < DegreeBefore(index)))
                _rows.Add(index);
        }
        trigger.Lost.Clear();
        return WhereListsBegin(trigger, _rows, isOld: true);
    }

    // Of a list some facts have changed: a row of each node that it may begin with.
    private List<int> WhereListsBegin(Trigger trigger, List<int> rows, bool isOld)
    {
        if (trigger.Rule.Body[trigger.Part] is not WalkPart)
            return rows;
        if (!trigger.IsUpward)
            return Apart(trigger, rows);
        _nodes.Clear();
        rows.RemoveAll(index => !_nodes.Add(store.Rows[index].S));
        for (var i = 0; i < rows.Count; i++)
        {
            for (var above = store.ByObject.Head(store.Rows[rows[i]].S, Known.Rest); above != 0; above = store.Rows[above].NextPo)
            {
                ref var row = ref store.Rows[above];
                if ((isOld ? row.Held : row.Holds) && _nodes.Add(row.S))
                    rows.Add(above);
            }
        }
        return rows;
    }

    private readonly HashSet<int> _nodes = [];

    private readonly List<int> _rows = [];
    private readonly HashSet<(int, int, int)> _seen = [];

    // Of rows that share the same terms with the body one is enough.
    private List<int> Apart(Trigger trigger, List<int> rows)
    {
        if (rows.Count < 2)
            return rows;
        var shared = trigger.Rule.InPatterns;
        var atom = trigger.Atom;
        _seen.Clear();
        rows.RemoveAll(index =>
        {
            ref var row = ref store.Rows[index];
            return !_seen.Add((Key(atom.S, row.S), Key(atom.P, row.P), Key(atom.O, row.O)));
        });
        return rows;

        int Key(int operand, int term) => !Operand.IsSlot(operand) || shared.Contains(operand) ? term : 0;
    }

    // What has been taken down may stand on something else.
    private void Restore(int k, Stratum stratum)
    {
        foreach (var index in _suspects)
            FindSupport(index, k, onlyThis: false, stratum);
        foreach (var index in stratum.Retries)
            FindSupport(index, k, onlyThis: true, stratum);
        stratum.Retries.Clear();
    }

    private void FindSupport(int index, int k, bool onlyThis, Stratum stratum)
    {
        var row = store.Rows[index];
        if (row.IsAsserted)
            return;
        var evaluator = Evaluator;
        evaluator.High = int.MaxValue - 1;
        var (degree, best, witness) = (row.Holds ? row.Degree : 0, -1, 0UL);
        foreach (var (rule, head) in Rules.HeadsFor(row.P))
        {
            if ((onlyThis ? rule.Stratum != k : rule.Stratum > k) || !RuleBase.MayBe(rule, head, row))
                continue;
            if (degree >= rule.Confidence)
                continue;
            if (!evaluator.FindSupport(SupportPlan(rule, head), row.S, row.P, row.O, degree))
                continue;
            (degree, best, witness) = (evaluator.BestDegree, rule.Id, evaluator.BestWitness);
        }
        if (best < 0)
            return;
        Touch(index);
        if (!row.Holds)
            _workload.Derived++;
        Set(ref store.Rows[index], degree, best, witness, StampOf(index, degree, ++_stamp));
        _changed.Add(index);
        if (stratum.IsRecursive)
            Send(index, isLost: false, k, k);
    }

    private Plan SupportPlan(CompiledRule rule, int head)
    {
        if (_supports.TryGetValue((rule, head), out var plan) && Current(plan, rule) is not null)
            return plan;
        return _supports[(rule, head)] = _planner.Support(rule, head);
    }

    private void Forward(int k, Stratum stratum)
    {
        var high = _stamp;
        var next = ++_stamp;
        var from = _changed.Count;
        foreach (var rule in stratum.Rules)
        {
            if (!_new.Contains(rule))
                continue;
            Evaluate(PlanOf(rule), [], int.MinValue, high);
            Flush(next);
        }
        foreach (var trigger in Rules.TriggersOf[k])
            Follow(trigger, _began, high, next);
        if (stratum.IsRecursive)
            Rounds(k, next, from);
    }

    // As long as there is something new.
    private void Rounds(int k, int low, int from)
    {
        // What came in the round before is met with what is older; what this round finds is for the next one.
        while (from < _changed.Count)
        {
            var to = _changed.Count;
            for (; from < to; from++)
                Send(_changed[from], isLost: false, k, k);
            var high = _stamp;
            var next = ++_stamp;
            foreach (var trigger in Rules.TriggersOf[k])
                Follow(trigger, low, high, next);
            low = next;
        }
    }

    private void Follow(Trigger trigger, int low, int high, int next)
    {
        _rows.Clear();
        if (trigger.IsNested)
        {
            _rows.AddRange(trigger.Lost);
            _rows.AddRange(trigger.Gained);
            trigger.Lost.Clear();
        }
        else
        {
            foreach (var index in trigger.Gained)
            {
                ref var row = ref store.Rows[index];
                if (row.Holds)
                    _rows.Add(index);
            }
        }
        trigger.Gained.Clear();
        if (_rows.Count == 0)
            return;
        var rows = trigger.IsNested ? Apart(trigger, _rows) : WhereListsBegin(trigger, _rows, isOld: false);
        trigger.Forward = Current(trigger.Forward, trigger.Rule) ?? _planner.Changed(trigger, Goal.Derive);
        Evaluate(trigger.Forward, rows, low, high);
        Flush(next);
    }

    // Later strata learn what has changed in this one.
    private void Tell(int index, int k)
    {
        ref var row = ref store.Rows[index];
        var entry = _log[_logOf[index]];
        if (entry.Held && (!row.Holds || row.Degree < entry.Degree))
        {
            Send(index, isLost: true, k + 1);
            Retry(index, k + 1);
        }
        else if (row.Holds && (!entry.Held || row.Degree > entry.Degree))
            Send(index, isLost: false, k + 1);
    }

    // What is back in no greater degree is no news to others: to them it has been there all along.
    private int StampOf(int index, double degree, int stamp)
    {
        var entry = _log[_logOf[index]];
        return !_isAnew && entry.Held && degree <= entry.Degree ? entry.Stamp : stamp;
    }

    private double DegreeBefore(int index) => _log[_logOf[index]].Degree;

    private readonly Dictionary<CompiledRule, Plan> _plans = [];

    private Plan PlanOf(CompiledRule rule)
    {
        if (_plans.TryGetValue(rule, out var plan) && Current(plan, rule) is not null)
            return plan;
        return _plans[rule] = _planner.Full(rule);
    }

    // A plan as long as the numbers that it was made for are about those there are.
    private Plan? Current(Plan? plan, CompiledRule rule)
    {
        if (plan is null)
            return null;
        if (Math.Abs(store.Count - plan.CheckedAt) < Math.Max(64, plan.CheckedAt / 64))
            return plan;
        plan.CheckedAt = store.Count;
        return _planner.IsAbout(rule, plan.MadeFor) ? plan : null;
    }
}
