using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>A fact that a rule has derived.</summary>
internal struct Candidate
{
    public int S;
    public int P;
    public int O;
    public int Rule;
    public double Degree;
    public ulong Witness;
}

/// <summary>
/// Runs plans over the store: interpreted, or as code that calls back here. Nothing in the store changes while it runs; what it finds
/// is gathered. Several may run at once, one a thread.
/// </summary>
internal sealed partial class Evaluator(FactStore store, TermDictionary terms, EngineOptions options, Workload workload)
{
    private const long Allowance = 4096;
    private const int FirstSqueeze = 1 << 18;

    private readonly Builtins _builtins = new(terms);
    private long _allowance = Allowance;
    private int _squeezeAt = FirstSqueeze;
    private int[] _values = new int[32];
    private int[] _constants = [];

    /// <summary>Rows that a step with <see cref="Access.Given"/> goes through.</summary>
    public int[] Given = [];
    public int GivenFrom;
    public int GivenTo;

    /// <summary>What a pattern before the changed one sees came before this.</summary>
    public int Low;

    /// <summary>What came after this is not seen.</summary>
    public int High;

    /// <summary>The facts are those from before the transaction.</summary>
    public bool SeesOldState;

    public Row[] Rows = [];

    /// <summary>Derived, and not known before in this degree.</summary>
    public List<Candidate> Candidates { get; } = [];

    /// <summary>Rows that have lost what they stand on.</summary>
    public List<int> Undermined { get; } = [];

    /// <summary>The best support found.</summary>
    public double BestDegree { get; private set; }

    public ulong BestWitness { get; private set; }

    /// <summary>The values of the variables in it.</summary>
    public int[]? BestValues { get; private set; }

    private int _targetS;
    private int _targetP;
    private int _targetO;
    private double _enough;
    private ulong? _wanted;
    private bool _found;
    private List<(int Value, double Degree)> _gathered = [];

    /// <summary>Terms have been forgotten: their numbers may come to mean others.</summary>
    public void Forget() => _builtins.Forget();

    public void Run(Plan plan)
    {
        var rule = plan.Rule;
        if (_values.Length < rule.Names.Length)
            _values = new int[rule.Names.Length * 2];
        _constants = rule.Constants;
        Rows = store.Rows;
        Start(plan, 1);
    }

    /// <summary>The best support that a rule gives a fact, better than <paramref name="atLeast"/>; or the one with the witness that is wanted.</summary>
    public bool FindSupport(Plan plan, int s, int p, int o, double atLeast, ulong? wanted = null)
    {
        var rule = plan.Rule;
        if (_values.Length < rule.Names.Length)
            _values = new int[rule.Names.Length * 2];
        var head = rule.Heads[plan.Head];
        if (!TryBind(rule, head.S, s) || !TryBind(rule, head.P, p) || !TryBind(rule, head.O, o))
            return false;
        // A variable that stands twice must have got the same value twice.
        if (!Agrees(head.S, s) || !Agrees(head.P, p) || !Agrees(head.O, o))
            return false;
        (_targetS, _targetP, _targetO, _enough, _wanted) = (s, p, o, rule.Confidence, wanted);
        (BestDegree, BestWitness, BestValues) = (atLeast, 0, null);
        _found = false;
        Run(plan);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Value(int operand) => operand >= 0 ? _values[operand] : _constants[~operand];

    private bool Start(Plan plan, double degree)
    {
        if (options.CompileRules && PlanCompiler.CodeOf(plan, SeesOldState, options.Product) is { } code)
            return code(this, _constants, _values, degree);
        return Interpret(plan, 0, degree);
    }

    private bool Interpret(Plan plan, int index, double degree)
    {
        if (index == plan.Steps.Length)
            return Emit(plan, degree);
        switch (plan.Steps[index])
        {
            case ScanStep scan:
                return Scan(plan, scan, index, degree);
            case TestStep test:
                return !Test(test.Code, Value(test.Left), Value(test.Right)) || Interpret(plan, index + 1, degree);
            case FunctionStep function:
                return !Compute(function) || Interpret(plan, index + 1, degree);
            case AbsentStep absent:
                return Exists(absent.Inner) || Interpret(plan, index + 1, degree);
            case GatherStep gather:
                degree = Gather(gather, degree);
                return degree < 0 || Interpret(plan, index + 1, degree);
            case MembersStep members:
                foreach (var item in MembersOf(members))
                {
                    Spend();
                    if (members.Binds)
                        _values[members.Member] = item;
                    else if (Value(members.Member) != item)
                        continue;
                    if (!Interpret(plan, index + 1, degree))
                        return false;
                }
                return true;
            default:
                throw new InvalidOperationException($"{plan.Steps[index].GetType().Name} is no step");
        }
    }

    private bool Scan(Plan plan, ScanStep scan, int index, double degree)
    {
        var rows = Rows;
        switch (scan.Access)
        {
            case Access.Exact:
                var found = store.Find(Value(scan.S), Value(scan.P), Value(scan.O));
                return found == 0 || Row(plan, scan, index, degree, found);
            case Access.SubjectPredicate:
                for (var row = store.BySubject.Head(Value(scan.S), Value(scan.P)); row != 0; row = rows[row].NextSp)
                {
                    if (!Row(plan, scan, index, degree, row))
                        return false;
                }
                return true;
            case Access.ObjectPredicate:
                for (var row = store.ByObject.Head(Value(scan.O), Value(scan.P)); row != 0; row = rows[row].NextPo)
                {
                    if (!Row(plan, scan, index, degree, row))
                        return false;
                }
                return true;
            case Access.Predicate:
                for (var row = store.PredicateHead(Value(scan.P)); row != 0; row = rows[row].NextP)
                {
                    if (!Row(plan, scan, index, degree, row))
                        return false;
                }
                return true;
            case Access.Given:
                for (var i = GivenFrom; i < GivenTo; i++)
                {
                    if (!Row(plan, scan, index, degree, Given[i]))
                        return false;
                }
                return true;
            default:
                foreach (var row in RowsOf(scan))
                {
                    if (!Row(plan, scan, index, degree, row))
                        return false;
                }
                return true;
        }
    }

    private bool Row(Plan plan, ScanStep scan, int index, double degree, int number)
    {
        Spend();
        ref var row = ref Rows[number];
        if (scan.Access != Access.Given && !Sees(ref row, scan.IsBefore))
            return true;
        if (!Matches(scan.S, scan.UseS, row.S) || !Matches(scan.P, scan.UseP, row.P) || !Matches(scan.O, scan.UseO, row.O))
            return true;
        return Interpret(plan, index + 1, scan.Counts ? Combine(degree, row.Degree) : degree);
    }

    private bool Sees(ref Row row, bool isBefore) => SeesOldState ? row.Held : isBefore ? row.Stamp < Low : row.Stamp <= High;

    private bool Matches(int operand, Use use, int term)
    {
        switch (use)
        {
            case Use.Bind:
                _values[operand] = term;
                return true;
            case Use.Compare:
                return Value(operand) == term;
            default:
                return true;
        }
    }

    /// <summary>Rows that no list of the plan's indexes has together.</summary>
    private IEnumerable<int> RowsOf(ScanStep scan)
    {
        switch (scan.Access)
        {
            case Access.Subject:
                foreach (var head in store.BySubject.Heads(Value(scan.S)))
                {
                    for (var row = head; row != 0; row = Rows[row].NextSp)
                        yield return row;
                }
                break;
            case Access.Object:
                foreach (var head in store.ByObject.Heads(Value(scan.O)))
                {
                    for (var row = head; row != 0; row = Rows[row].NextPo)
                        yield return row;
                }
                break;
            default:
                for (var row = 1; row < store.Limit; row++)
                {
                    if (Rows[row].S != 0)
                        yield return row;
                }
                break;
        }
    }

    private double Combine(double left, double right) => options.Product ? left * right : Math.Min(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Spend()
    {
        if (--_allowance < 0)
            Settle();
    }

    private void Settle()
    {
        workload.Spend(Allowance);
        _allowance = Allowance;
    }

    private bool Test(Rules.BuiltinCode code, int left, int right) => _builtins.Test(code, left, right);

    private bool Compute(FunctionStep function)
    {
        Span<int> arguments = stackalloc int[Math.Min(function.Arguments.Length, 64)];
        if (function.Arguments.Length > 64)
            arguments = new int[function.Arguments.Length];
        for (var i = 0; i < arguments.Length; i++)
            arguments[i] = Value(function.Arguments[i]);
        var result = _builtins.Compute(function.Code, arguments, function.IsList);
        if (result == 0)
            return false;
        if (!function.Binds)
            return _builtins.IsSame(function.Code, result, Value(function.Result));
        _values[function.Result] = result;
        return true;
    }

    private int[] MembersOf(MembersStep members)
    {
        if (members.IsList)
            return [.. members.Items.Select(Value)];
        var list = Value(members.Items[0]);
        return terms.Kind(list) == TermKind.List ? terms.Items(list).ToArray() : [];
    }

    /// <summary>All ways to satisfy the conditions of an aggregation, given the values of the body around it.</summary>
    public List<int[]> Solutions(Plan inner, int[] values)
    {
        values.CopyTo(_values, 0);
        _solutions = [];
        _gathered = [];
        _constants = inner.Rule.Constants;
        Rows = store.Rows;
        Start(inner, 1);
        var solutions = _solutions;
        _solutions = null;
        return solutions;
    }

    private List<int[]>? _solutions;

    private bool Exists(Plan inner)
    {
        var before = _found;
        _found = false;
        Start(inner, 1);
        var found = _found;
        _found = before;
        return found;
    }

    // The degree with the list's members; negative: the list is another than the one that is wanted.
    private double Gather(GatherStep gather, double degree)
    {
        var before = _gathered;
        _gathered = [];
        Start(gather.Inner, 1);
        var found = _gathered;
        _gathered = before;
        found.Sort((left, right) => _builtins.Order(left.Value, right.Value));
        foreach (var (_, member) in found)
            degree = Combine(degree, member);
        var list = terms.InternList(found.Select(member => member.Value).ToArray());
        if (gather.Binds)
            _values[gather.List] = list;
        else if (_values[gather.List] != list)
            return -1;
        return degree;
    }

    private bool Emit(Plan plan, double degree)
    {
        switch (plan.Goal)
        {
            case Goal.Derive:
                Derive(plan.Rule, degree);
                return true;
            case Goal.Undermine:
                Undermine(plan.Rule);
                return true;
            case Goal.Support:
                return Support(plan, degree);
            case Goal.Exists:
                _found = true;
                return false;
            default:
                _gathered.Add((Value(plan.Template), degree));
                _solutions?.Add(_values.AsSpan(0, plan.Rule.Names.Length).ToArray());
                return true;
        }
    }

    private void Derive(CompiledRule rule, double degree)
    {
        degree = Combine(degree, rule.Confidence);
        foreach (var head in rule.Heads)
        {
            var (s, p, o) = (HeadValue(rule, head.S), HeadValue(rule, head.P), HeadValue(rule, head.O));
            var row = store.Find(s, p, o);
            if (row != 0 && Rows[row].Holds && Rows[row].Degree >= degree)
                continue;
            // What is no triple of RDF is not derived.
            if ((row == 0 && terms.IsLiteral(s)) || terms.Kind(p) != TermKind.Iri)
                continue;
            if (Candidates.Count >= _squeezeAt)
                Squeeze();
            Candidates.Add(new Candidate { S = s, P = p, O = o, Rule = rule.Id, Degree = degree, Witness = Witness(rule) });
        }
    }

    private void Undermine(CompiledRule rule)
    {
        foreach (var head in rule.Heads)
        {
            var row = store.Find(HeadValue(rule, head.S), HeadValue(rule, head.P), HeadValue(rule, head.O));
            if (row != 0 && Rows[row].Rule == rule.Id && Rows[row].Holds && Rows[row].Witness == Witness(rule))
                Undermined.Add(row);
        }
    }

    private bool Support(Plan plan, double degree)
    {
        var rule = plan.Rule;
        var head = rule.Heads[plan.Head];
        if (HeadValue(rule, head.S) != _targetS || HeadValue(rule, head.P) != _targetP || HeadValue(rule, head.O) != _targetO)
            return true;
        degree = Combine(degree, rule.Confidence);
        var witness = Witness(rule);
        if (_wanted is { } wanted ? witness != wanted || degree < BestDegree : degree <= BestDegree)
            return true;
        (BestDegree, BestWitness, _found) = (degree, witness, true);
        if (_wanted is not null)
            BestValues = _values.AsSpan(0, rule.Names.Length).ToArray();
        return _wanted is null && degree < _enough;
    }

    private int HeadValue(CompiledRule rule, int operand)
    {
        if (!Operand.IsSkolem(operand))
            return Value(operand);
        var slots = rule.HeadSlots;
        Span<int> arguments = stackalloc int[slots.Length];
        for (var i = 0; i < slots.Length; i++)
            arguments[i] = _values[slots[i]];
        return terms.InternSkolem(rule.Key, Operand.Skolem - operand, arguments);
    }

    private ulong Witness(CompiledRule rule)
    {
        ulong hash = 0x9E3779B97F4A7C15;
        foreach (var slot in rule.WitnessSlots)
            hash = BitOperations.RotateLeft((hash ^ (uint)_values[slot]) * 0xD6E8FEB86659FD93, 31);
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
        _squeezeAt = Math.Max(FirstSqueeze, kept * 2);
    }
}

/// <summary>What a change has cost so far, over all threads, and how much it may.</summary>
internal sealed class Workload(EngineOptions options)
{
    private long _spent;

    /// <summary>Derived facts that hold.</summary>
    public long Derived { get; set; }

    public CancellationToken Cancellation { get; set; }

    public void Begin()
    {
        _spent = 0;
    }

    public void Spend(long steps)
    {
        Cancellation.ThrowIfCancellationRequested();
        if (Interlocked.Add(ref _spent, steps) > options.StepLimit)
            throw new EngineException(new EngineError(EngineErrorKind.StepLimit, $"deriving takes more than {options.StepLimit} steps; a rule joins too much"));
    }

    /// <summary>Fails when so many more facts would be too many.</summary>
    public void CheckDerived(long more)
    {
        if (Derived + more > options.DerivationLimit)
            throw new EngineException(new EngineError(EngineErrorKind.DerivationLimit, $"more than {options.DerivationLimit} facts would be derived; a rule may never end"));
    }
}
