using System.Numerics;

namespace IoT.Modules.Semantics.Engine;

/// <summary>A fact that a rule has derived.</summary>
internal struct Candidate : IBulkFact<Candidate>
{
    public int S;
    public int P;
    public int O;
    public int Rule;
    public double Degree;
    public ulong Witness;

    public readonly int Subject => S;

    public readonly int Predicate => P;

    public readonly int Object => O;

    public readonly bool IsNews(in Row row) => Degree > row.Degree;

    // The best one, and among equals the first.
    public void Join(in Candidate again)
    {
        if (again.Degree > Degree)
            (Rule, Degree, Witness) = (again.Rule, again.Degree, again.Witness);
    }

    public readonly Row AsRow(int stamp) =>
        new() { S = S, P = P, O = O, Stamp = stamp, Rule = Rule, Degree = Degree, Witness = Witness, Info = Row.Created | Row.Logged };
}

/// <summary>What becomes of each way to satisfy a body.</summary>
internal sealed partial class Evaluator
{
    public const ulong WitnessSeed = 0x9E3779B97F4A7C15;
    public const ulong WitnessFactor = 0xD6E8FEB86659FD93;
    public const int WitnessTurn = 31;

    private const int FirstSqueeze = 1 << 18;
    private const int LargestIdle = 1 << 16;

    private int _squeezeAt = FirstSqueeze;
    private int _targetS;
    private int _targetP;
    private int _targetO;
    private double _enough;
    private ulong? _wanted;
    private List<(int Value, double Degree)> _gathered = [];
    private List<int[]>? _solutions;

    /// <summary>Derived, and not known before in this degree.</summary>
    public List<Candidate> Candidates { get; set; } = [];

    /// <summary>Rows that have lost what they stand on.</summary>
    public List<int> Undermined { get; } = [];

    /// <summary>The best support found.</summary>
    public double BestDegree { get; private set; }

    public ulong BestWitness { get; private set; }

    /// <summary>The values of the variables in it.</summary>
    public int[]? BestValues { get; private set; }

    /// <summary>The best support that a rule gives a fact, better than <paramref name="atLeast"/>; or one with the witness that is wanted, no worse.</summary>
    public bool FindSupport(Plan plan, int s, int p, int o, double atLeast, ulong? wanted = null)
    {
        var rule = plan.Rule;
        Prepare(rule);
        var head = rule.Heads[plan.Head];
        if (!TryBind(rule, head.S, s) || !TryBind(rule, head.P, p) || !TryBind(rule, head.O, o))
            return false;
        // A variable that stands twice must have got the same value twice.
        if (!Agrees(head.S, s) || !Agrees(head.P, p) || !Agrees(head.O, o))
            return false;
        (_targetS, _targetP, _targetO, _enough, _wanted) = (s, p, o, rule.Confidence, wanted);
        (BestDegree, BestWitness, BestValues) = (atLeast, 0, null);
        _found = false;
        Start(plan);
        return _found;

        bool TryBind(CompiledRule rule, int operand, int term)
        {
            if (Operand.IsConstant(operand))
                return rule.Resolve(operand) == term;
            if (Operand.IsSlot(operand))
                _values[operand] = term;
            return true;
        }

        bool Agrees(int operand, int term) => !Operand.IsSlot(operand) || _values[operand] == term;
    }

    /// <summary>All ways to satisfy the conditions of an aggregation, given the values of the body around it.</summary>
    public List<int[]> Solutions(Plan inner, int[] values)
    {
        Prepare(inner.Rule);
        values.CopyTo(_values, 0);
        _solutions = [];
        _gathered = [];
        Start(inner);
        var solutions = _solutions;
        _solutions = null;
        return solutions;
    }

    /// <summary>Whether the negated conditions of a step of the plan that runs can be satisfied.</summary>
    public bool Exists(int step)
    {
        var before = (_found, _degrees);
        (_found, _degrees) = (false, options.Product ? new double[_degrees.Length] : _degrees);
        Start(((AbsentStep)Plan!.Steps[step]).Inner);
        var found = _found;
        (_found, _degrees) = before;
        return found;
    }

    /// <summary>The degree of the list's members; negative: the list is another than the one that is wanted.</summary>
    public double Gather(int step)
    {
        var gather = (GatherStep)Plan!.Steps[step];
        var before = (_gathered, _degrees);
        (_gathered, _degrees) = ([], options.Product ? new double[_degrees.Length] : _degrees);
        Start(gather.Inner);
        var found = _gathered;
        (_gathered, _degrees) = before;
        found.Sort((left, right) => _builtins.Order(left.Value, right.Value) is var order and not 0 ? order : left.Degree.CompareTo(right.Degree));
        var degree = 1.0;
        foreach (var (_, member) in found)
            degree = Combine(degree, member);
        var list = terms.InternList(found.Select(member => member.Value).ToArray());
        if (gather.Binds)
            _values[gather.List] = list;
        else if (_values[gather.List] != list)
            return -1;
        return degree;
    }

    private double Combine(double left, double right) => options.Product ? left * right : Math.Min(left, right);

    /// <summary>Whether to go on.</summary>
    private bool Emit(Plan plan, double degree)
    {
        var rule = plan.Rule;
        switch (plan.Goal)
        {
            case Goal.Derive:
                degree = Combine(degree, rule.Confidence);
                foreach (var head in rule.Heads)
                    Derive(HeadValue(head.S), HeadValue(head.P), HeadValue(head.O), degree, Witness(rule));
                return true;
            case Goal.Undermine:
                foreach (var head in rule.Heads)
                    Undermine(HeadValue(head.S), HeadValue(head.P), HeadValue(head.O), Witness(rule));
                return true;
            case Goal.Support:
                var wanted = rule.Heads[plan.Head];
                return Support(HeadValue(wanted.S), HeadValue(wanted.P), HeadValue(wanted.O), Combine(degree, rule.Confidence), Witness(rule));
            case Goal.Exists:
                _found = true;
                return false;
            default:
                Collect(Value(plan.Template), degree);
                return true;
        }
    }

    public void Derive(int s, int p, int o, double degree, ulong witness)
    {
        var row = Store.Find(s, p, o);
        // What doesn't hold has no degree.
        if (row != 0 && Rows[row].Degree >= degree)
            return;
        // What is no triple of RDF is not derived.
        if (row == 0 && (terms.IsLiteral(s) || terms.Kind(p) != Terms.TermKind.Iri))
            return;
        if (Candidates.Count >= _squeezeAt)
            Squeeze();
        Candidates.Add(new Candidate { S = s, P = p, O = o, Rule = Plan!.Rule.Id, Degree = degree, Witness = witness });
    }

    public void Undermine(int s, int p, int o, ulong witness)
    {
        var row = Store.Find(s, p, o);
        if (row != 0 && Rows[row].Rule == Plan!.Rule.Id && Rows[row].Holds && Rows[row].Witness == witness)
            Undermined.Add(row);
    }

    public bool Support(int s, int p, int o, double degree, ulong witness)
    {
        if (s != _targetS || p != _targetP || o != _targetO)
            return true;
        if (_wanted is { } wanted ? witness != wanted || degree < BestDegree : degree <= BestDegree)
            return true;
        (BestDegree, BestWitness, _found) = (degree, witness, true);
        if (_wanted is not null)
            BestValues = _values.AsSpan(0, Plan!.Rule.Names.Length).ToArray();
        return _wanted is null && degree < _enough;
    }

    public bool Finish()
    {
        _found = true;
        return false;
    }

    public void Collect(int value, double degree)
    {
        _gathered.Add((value, degree));
        _solutions?.Add(_values.AsSpan(0, Plan!.Rule.Names.Length).ToArray());
    }

    /// <summary>A term of a head, from what the values are.</summary>
    public int HeadValue(int operand)
    {
        if (!Operand.IsSkolem(operand))
            return Value(operand);
        var rule = Plan!.Rule;
        var slots = rule.HeadSlots;
        Span<int> arguments = stackalloc int[slots.Length];
        for (var i = 0; i < slots.Length; i++)
            arguments[i] = _values[slots[i]];
        return terms.InternSkolem(rule.Key, Operand.Skolem - operand, arguments);
    }

    private ulong Witness(CompiledRule rule)
    {
        var hash = WitnessSeed;
        foreach (var slot in rule.WitnessSlots)
            hash = BitOperations.RotateLeft((hash ^ (uint)_values[slot]) * WitnessFactor, WitnessTurn);
        return hash;
    }

    // Joins may find the same fact again and again before it is put into the store.
    private void Squeeze()
    {
        var best = new Dictionary<(int, int, int), int>();
        var kept = 0;
        for (var i = 0; i < Candidates.Count; i++)
        {
            var candidate = Candidates[i];
            if (best.TryAdd((candidate.S, candidate.P, candidate.O), kept))
                Candidates[kept++] = candidate;
            else if (best[(candidate.S, candidate.P, candidate.O)] is var at && Candidates[at].Degree < candidate.Degree)
                Candidates[at] = candidate;
        }
        Candidates.RemoveRange(kept, Candidates.Count - kept);
        workload.CheckDerived(kept);
        workload.CheckMemory(kept * (long)BytesPerCandidate);
        _squeezeAt = Math.Max(FirstSqueeze, kept * 2);
    }

    // Of the fact that it becomes.
    public const int BytesPerCandidate = 120;
}
