using System.Runtime.CompilerServices;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Runs plans over the store: interpreted, or as code that calls back here. Nothing in the store changes while it runs; what it finds
/// is gathered. Several may run at once, one a thread. What code uses is public, fields where it counts.
/// </summary>
internal sealed partial class Evaluator(FactStore store, TermDictionary terms, EngineOptions options, Workload workload, PlanCompiler compiler)
{
    private const long Allowance = 4096;

    private readonly Builtins _builtins = new(terms);
    private int[] _values = new int[32];
    private int[] _constants = [];
    private double[] _degrees = new double[32];
    private long _lastSettled;
    private bool _found;

    public readonly FactStore Store = store;
    public readonly PairIndex BySubject = store.BySubject;
    public readonly PairIndex ByObject = store.ByObject;
    public Row[] Rows = [];

    /// <summary>Rows looked at, and when they are to be reported.</summary>
    public long Steps;
    public long SettleAt = Allowance;

    /// <summary>Rows that a step with <see cref="Access.Given"/> goes through.</summary>
    public int[] Given = [];
    public int GivenFrom;
    public int GivenTo;

    /// <summary>What a pattern before the changed one sees came before this.</summary>
    public int Low;

    /// <summary>What came after this is not seen.</summary>
    public int High;

    /// <summary>Of the plan that runs.</summary>
    public Plan? Plan;

    /// <summary>Of the rule whose plan runs.</summary>
    public double Confidence => Plan!.Rule.Confidence;

    /// <summary>The facts are those from before the transaction.</summary>
    public bool SeesOldState { get; set; }

    /// <summary>Ready for a new transaction, however the last one ended.</summary>
    public void Reset()
    {
        (SeesOldState, _found, _solutions, Plan) = (false, false, null, null);
        _gathered = [];
        Candidates.Clear();
        if (Candidates.Capacity > LargestIdle)
            Candidates.Capacity = 0;
        Undermined.Clear();
        if (Given.Length > LargestIdle)
            Given = [];
    }

    /// <summary>Terms have been forgotten: their numbers may come to mean others.</summary>
    public void Forget() => _builtins.Forget();

    /// <summary>The rows that the plan's first step goes through.</summary>
    public void Give(List<int> rows)
    {
        if (Given.Length < rows.Count)
            Given = new int[Math.Max(rows.Count, Math.Max(64, Given.Length * 2))];
        rows.CopyTo(Given);
        (GivenFrom, GivenTo) = (0, rows.Count);
    }

    public void Run(Plan plan)
    {
        Prepare(plan.Rule);
        Start(plan);
    }

    private void Prepare(CompiledRule rule)
    {
        if (_values.Length < rule.Names.Length)
            _values = new int[rule.Names.Length * 2];
        if (_degrees.Length < rule.MostParts)
            _degrees = new double[rule.MostParts * 2];
        _constants = rule.Constants;
        Rows = Store.Rows;
    }

    private bool Start(Plan plan)
    {
        var outer = Plan;
        Plan = plan;
        bool goesOn;
        if (options.CompileRules && compiler.CodeOf(plan, SeesOldState) is { } code)
            goesOn = code(this, _constants, _values);
        else
        {
            var before = Steps;
            goesOn = Interpret(plan, 0, 1);
            plan.Interpreted += Steps - before;
        }
        Plan = outer;
        return goesOn;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Value(int operand) => operand >= 0 ? _values[operand] : _constants[~operand];

    private bool Interpret(Plan plan, int index, double degree)
    {
        if (index == plan.Steps.Length)
            return Emit(plan, options.Product ? Product(plan) : degree);
        switch (plan.Steps[index])
        {
            case ScanStep scan:
                return Scan(plan, scan, index, degree);
            case TestStep test:
                return !Test(test.Code, Value(test.Left), Value(test.Right)) || Interpret(plan, index + 1, degree);
            case FunctionStep function:
                return !Interpret(function, index) || Interpret(plan, index + 1, degree);
            case StandsStep:
                return !Stands(index) || Interpret(plan, index + 1, degree);
            case AbsentStep:
                return Exists(index) || Interpret(plan, index + 1, degree);
            case GatherStep gather:
                var gathered = Gather(index);
                if (gathered < 0)
                    return true;
                _degrees[gather.Part] = gathered;
                return Interpret(plan, index + 1, Math.Min(degree, gathered));
            case MembersStep members:
                foreach (var item in MembersOf(index))
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
            case WalkStep walk:
                foreach (var reading in ReadingsOf(index))
                {
                    Spend();
                    (_values[walk.Members], _values[walk.Path]) = (reading.List, reading.Path);
                    _degrees[walk.Part] = reading.Degree;
                    if (!Interpret(plan, index + 1, Math.Min(degree, reading.Degree)))
                        return false;
                }
                return true;
            default:
                throw new InvalidOperationException($"{plan.Steps[index].GetType().Name} is no step");
        }
    }

    private double Product(Plan plan)
    {
        var degree = 1.0;
        foreach (var part in plan.Premises)
            degree *= _degrees[part];
        return degree;
    }

    private bool Scan(Plan plan, ScanStep scan, int index, double degree)
    {
        var rows = Rows;
        switch (scan.Access)
        {
            case Access.Exact:
                var found = Store.Find(Value(scan.S), Value(scan.P), Value(scan.O));
                return found == 0 || Row(plan, scan, index, degree, found);
            case Access.SubjectPredicate:
                for (var row = BySubject.Head(Value(scan.S), Value(scan.P)); row != 0; row = rows[row].NextSp)
                {
                    if (!Row(plan, scan, index, degree, row))
                        return false;
                }
                return true;
            case Access.ObjectPredicate:
                for (var row = ByObject.Head(Value(scan.O), Value(scan.P)); row != 0; row = rows[row].NextPo)
                {
                    if (!Row(plan, scan, index, degree, row))
                        return false;
                }
                return true;
            case Access.Predicate:
                for (var row = Store.PredicateHead(Value(scan.P)); row != 0; row = rows[row].NextP)
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
                foreach (var row in RowsOf(index))
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
        if (scan.Part < 0)
            return Interpret(plan, index + 1, degree);
        _degrees[scan.Part] = row.Degree;
        return Interpret(plan, index + 1, Math.Min(degree, row.Degree));
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

    /// <summary>Rows that no list of the indexes has together, for a step of the plan that runs.</summary>
    public List<int> RowsOf(int step)
    {
        var scan = (ScanStep)Plan!.Steps[step];
        var rows = new List<int>();
        switch (scan.Access)
        {
            case Access.Subject:
                foreach (var head in BySubject.Heads(Value(scan.S)))
                {
                    for (var row = head; row != 0; row = Rows[row].NextSp)
                        rows.Add(row);
                }
                break;
            case Access.Object:
                foreach (var head in ByObject.Heads(Value(scan.O)))
                {
                    for (var row = head; row != 0; row = Rows[row].NextPo)
                        rows.Add(row);
                }
                break;
            default:
                for (var row = 1; row < Store.Limit; row++)
                {
                    if (Rows[row].S != 0)
                        rows.Add(row);
                }
                break;
        }
        return rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Spend()
    {
        if (++Steps >= SettleAt)
            Settle();
    }

    /// <summary>Reports the work done; doesn't come back when it has become too much.</summary>
    public void Settle()
    {
        var done = Steps - _lastSettled;
        (_lastSettled, SettleAt) = (Steps, Steps + Allowance);
        workload.Spend(done);
    }

    public bool Test(Rules.BuiltinCode code, int left, int right) => _builtins.Test(code, left, right);

    private bool Interpret(FunctionStep function, int step)
    {
        var result = Compute(step);
        if (result == 0)
            return false;
        if (!function.Binds)
            return _builtins.IsSame(function.Code, result, Value(function.Result));
        _values[function.Result] = result;
        return true;
    }

    /// <summary>The result of a step of the plan that runs, from what the values are; 0: none.</summary>
    public int Compute(int step)
    {
        var function = (FunctionStep)Plan!.Steps[step];
        Span<int> arguments = stackalloc int[Math.Min(function.Arguments.Length, 64)];
        if (function.Arguments.Length > 64)
            arguments = new int[function.Arguments.Length];
        for (var i = 0; i < arguments.Length; i++)
            arguments[i] = Value(function.Arguments[i]);
        return _builtins.Compute(function.Code, arguments, function.IsList);
    }

    /// <summary>Whether one of the heads may be a fact that the rule holds up.</summary>
    public bool Stands(int step)
    {
        foreach (ref readonly var head in ((StandsStep)Plan!.Steps[step]).Heads.AsSpan())
        {
            if (head is { HasS: true, HasO: true })
            {
                if (Store.Find(Value(head.S), Value(head.P), Value(head.O)) is var row and not 0 && Rows[row].Rule == Plan.Rule.Id)
                    return true;
            }
            else if (head.HasS ? BySubject.Head(Value(head.S), Value(head.P)) != 0 : ByObject.Head(Value(head.O), Value(head.P)) != 0)
                return true;
        }
        return false;
    }

    public bool IsSame(Rules.BuiltinCode code, int result, int bound) => _builtins.IsSame(code, result, bound);

    public int[] MembersOf(int step)
    {
        var members = (MembersStep)Plan!.Steps[step];
        if (members.IsList)
            return [.. members.Items.Select(Value)];
        var list = Value(members.Items[0]);
        return terms.Kind(list) == TermKind.List ? terms.Items(list).ToArray() : [];
    }
}

/// <summary>What a change has cost so far, over all threads, and how much it may.</summary>
internal sealed class Workload(EngineOptions options, Func<long> memory)
{
    private const int MemoryEvery = 64;

    private long _spent;
    private int _asked;

    /// <summary>Derived facts that hold.</summary>
    public long Derived { get; set; }

    /// <summary>Whether the change is one that the memory limit is for.</summary>
    public bool IsLimited { get; set; }

    public CancellationToken Cancellation { get; set; }

    public void Begin() => _spent = 0;

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
        if (IsLimited && ++_asked % MemoryEvery == 0)
            CheckMemory(0);
    }

    public void CheckMemory(long more)
    {
        if (IsLimited && memory() + more is var bytes && bytes > options.MemoryLimitBytes)
            throw new EngineException(new EngineError(EngineErrorKind.MemoryLimit, $"facts would take {bytes >> 20} MiB, more than the limit of {options.MemoryLimitBytes >> 20} MiB"));
    }
}
