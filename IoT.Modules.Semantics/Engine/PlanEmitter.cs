using System.Reflection;
using System.Reflection.Emit;
using IoT.Modules.Semantics.Rules;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Writes the machine code of one plan: nested loops over rows, the rule's variables in registers. Does what
/// <c>Evaluator.Interpret</c> does, step by step; what is rare calls back.
/// </summary>
internal sealed class PlanEmitter
{
    private readonly Plan _plan;
    private readonly bool _seesOldState;
    private readonly bool _isProduct;
    private readonly DynamicMethod _method;
    private readonly ILGenerator _il;
    private readonly LocalBuilder[] _slots;
    private readonly LocalBuilder _rows;
    private readonly LocalBuilder[] _degrees;
    private readonly Dictionary<int, LocalBuilder> _degreeOfPart = [];

    public PlanEmitter(Plan plan, bool seesOldState, bool isProduct)
    {
        (_plan, _seesOldState, _isProduct) = (plan, seesOldState, isProduct);
        _method = new DynamicMethod($"plan of line {plan.Rule.Source.Line}", typeof(bool), [typeof(Evaluator), typeof(int[]), typeof(int[])], typeof(Evaluator), skipVisibility: true);
        _il = _method.GetILGenerator();
        _slots = [.. plan.Rule.Names.Select(_ => _il.DeclareLocal(typeof(int)))];
        _rows = _il.DeclareLocal(typeof(Row[]));
        _degrees = [.. Enumerable.Range(0, plan.Steps.Length + 1).Select(_ => _il.DeclareLocal(typeof(double)))];
    }

    public PlanCode Emit()
    {
        for (var slot = 0; slot < _slots.Length; slot++)
        {
            _il.Emit(OpCodes.Ldarg_2);
            _il.Emit(OpCodes.Ldc_I4, slot);
            _il.Emit(OpCodes.Ldelem_I4);
            _il.Emit(OpCodes.Stloc, _slots[slot]);
        }
        LoadField(nameof(Evaluator.Rows));
        _il.Emit(OpCodes.Stloc, _rows);
        _il.Emit(OpCodes.Ldc_R8, 1.0);
        _il.Emit(OpCodes.Stloc, _degrees[0]);
        var end = _il.DefineLabel();
        Step(0, end);
        _il.MarkLabel(end);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Ret);
        return _method.CreateDelegate<PlanCode>();
    }

    // The step, what follows on it, and a jump to the next attempt.
    private void Step(int index, Label next)
    {
        if (index == _plan.Steps.Length)
        {
            Goal(index);
            _il.Emit(OpCodes.Br, next);
            return;
        }
        switch (_plan.Steps[index])
        {
            case ScanStep { Access: Access.Exact } scan:
                Exact(scan, index, next);
                return;
            case ScanStep { Access: Access.SubjectPredicate or Access.ObjectPredicate or Access.Predicate } scan:
                Chain(scan, index, next);
                return;
            case ScanStep scan:
                Listed(scan, index, next);
                return;
            case TestStep test:
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldc_I4, (int)test.Code);
                Load(test.Left);
                Load(test.Right);
                Call(nameof(Evaluator.Test));
                _il.Emit(OpCodes.Brfalse, next);
                break;
            case FunctionStep function:
                Compute(function, index, next);
                break;
            case StandsStep:
                Spill();
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldc_I4, index);
                Call(nameof(Evaluator.Stands));
                _il.Emit(OpCodes.Brfalse, next);
                break;
            case AbsentStep:
                Spill();
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldc_I4, index);
                Call(nameof(Evaluator.Exists));
                _il.Emit(OpCodes.Brtrue, next);
                break;
            case GatherStep gather:
                Gather(gather, index, next);
                Step(index + 1, next);
                return;
            case MembersStep members:
                Members(members, index, next);
                return;
            case WalkStep walk:
                Walk(walk, index, next);
                return;
            default:
                throw new InvalidOperationException($"{_plan.Steps[index].GetType().Name} is no step");
        }
        PassDegree(index);
        Step(index + 1, next);
    }

    private void Exact(ScanStep scan, int index, Label next)
    {
        var number = _il.DeclareLocal(typeof(int));
        LoadField(nameof(Evaluator.Store));
        Load(scan.S);
        Load(scan.P);
        Load(scan.O);
        _il.Emit(OpCodes.Call, typeof(FactStore).GetMethod(nameof(FactStore.Find))!);
        _il.Emit(OpCodes.Stloc, number);
        _il.Emit(OpCodes.Ldloc, number);
        _il.Emit(OpCodes.Brfalse, next);
        Visit(scan, index, number, next);
        Step(index + 1, next);
    }

    private void Chain(ScanStep scan, int index, Label next)
    {
        var number = _il.DeclareLocal(typeof(int));
        var (loop, advance, check) = (_il.DefineLabel(), _il.DefineLabel(), _il.DefineLabel());
        switch (scan.Access)
        {
            case Access.SubjectPredicate:
                LoadField(nameof(Evaluator.BySubject));
                Load(scan.S);
                Load(scan.P);
                _il.Emit(OpCodes.Call, typeof(PairIndex).GetMethod(nameof(PairIndex.Head))!);
                break;
            case Access.ObjectPredicate:
                LoadField(nameof(Evaluator.ByObject));
                Load(scan.O);
                Load(scan.P);
                _il.Emit(OpCodes.Call, typeof(PairIndex).GetMethod(nameof(PairIndex.Head))!);
                break;
            default:
                LoadField(nameof(Evaluator.Store));
                Load(scan.P);
                _il.Emit(OpCodes.Call, typeof(FactStore).GetMethod(nameof(FactStore.PredicateHead))!);
                break;
        }
        _il.Emit(OpCodes.Stloc, number);
        _il.Emit(OpCodes.Br, check);
        _il.MarkLabel(loop);
        Visit(scan, index, number, advance);
        Step(index + 1, advance);
        _il.MarkLabel(advance);
        _il.Emit(OpCodes.Ldloc, _rows);
        _il.Emit(OpCodes.Ldloc, number);
        _il.Emit(OpCodes.Ldelema, typeof(Row));
        _il.Emit(OpCodes.Ldfld, typeof(Row).GetField(scan.Access switch
        {
            Access.SubjectPredicate => nameof(Row.NextSp),
            Access.ObjectPredicate => nameof(Row.NextPo),
            _ => nameof(Row.NextP),
        })!);
        _il.Emit(OpCodes.Stloc, number);
        _il.MarkLabel(check);
        _il.Emit(OpCodes.Ldloc, number);
        _il.Emit(OpCodes.Brtrue, loop);
        _il.Emit(OpCodes.Br, next);
    }

    // Over rows in an array or a list: those given, or what no index has together.
    private void Listed(ScanStep scan, int index, Label next)
    {
        var (number, at, to) = (_il.DeclareLocal(typeof(int)), _il.DeclareLocal(typeof(int)), _il.DeclareLocal(typeof(int)));
        var rows = _il.DeclareLocal(scan.Access == Access.Given ? typeof(int[]) : typeof(List<int>));
        var (loop, advance, check) = (_il.DefineLabel(), _il.DefineLabel(), _il.DefineLabel());
        if (scan.Access == Access.Given)
        {
            LoadField(nameof(Evaluator.Given));
            _il.Emit(OpCodes.Stloc, rows);
            LoadField(nameof(Evaluator.GivenFrom));
            _il.Emit(OpCodes.Stloc, at);
            LoadField(nameof(Evaluator.GivenTo));
        }
        else
        {
            Spill();
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldc_I4, index);
            Call(nameof(Evaluator.RowsOf));
            _il.Emit(OpCodes.Stloc, rows);
            _il.Emit(OpCodes.Ldc_I4_0);
            _il.Emit(OpCodes.Stloc, at);
            _il.Emit(OpCodes.Ldloc, rows);
            _il.Emit(OpCodes.Call, typeof(List<int>).GetProperty(nameof(List<>.Count))!.GetMethod!);
        }
        _il.Emit(OpCodes.Stloc, to);
        _il.Emit(OpCodes.Br, check);
        _il.MarkLabel(loop);
        _il.Emit(OpCodes.Ldloc, rows);
        _il.Emit(OpCodes.Ldloc, at);
        if (scan.Access == Access.Given)
            _il.Emit(OpCodes.Ldelem_I4);
        else
            _il.Emit(OpCodes.Call, typeof(List<int>).GetMethod("get_Item")!);
        _il.Emit(OpCodes.Stloc, number);
        Visit(scan, index, number, advance);
        Step(index + 1, advance);
        _il.MarkLabel(advance);
        Increment(at);
        _il.MarkLabel(check);
        _il.Emit(OpCodes.Ldloc, at);
        _il.Emit(OpCodes.Ldloc, to);
        _il.Emit(OpCodes.Blt, loop);
        _il.Emit(OpCodes.Br, next);
    }

    private void Visit(ScanStep scan, int index, LocalBuilder number, Label next)
    {
        Spend();
        var row = _il.DeclareLocal(typeof(Row).MakeByRefType());
        _il.Emit(OpCodes.Ldloc, _rows);
        _il.Emit(OpCodes.Ldloc, number);
        _il.Emit(OpCodes.Ldelema, typeof(Row));
        _il.Emit(OpCodes.Stloc, row);
        if (scan.Access != Access.Given)
            See(scan, row, next);
        Match(scan.S, scan.UseS, nameof(Row.S));
        Match(scan.P, scan.UseP, nameof(Row.P));
        Match(scan.O, scan.UseO, nameof(Row.O));
        if (scan.Part < 0)
        {
            PassDegree(index);
            return;
        }
        var degree = _il.DeclareLocal(typeof(double));
        LoadRow(row, nameof(Row.Degree));
        _il.Emit(OpCodes.Stloc, degree);
        Count(scan.Part, degree, index);

        void Match(int operand, Use use, string field)
        {
            if (use == Use.None)
                return;
            LoadRow(row, field);
            if (use == Use.Bind)
            {
                _il.Emit(OpCodes.Stloc, _slots[operand]);
                return;
            }
            Load(operand);
            _il.Emit(OpCodes.Bne_Un, next);
        }
    }

    private void See(ScanStep scan, LocalBuilder row, Label next)
    {
        if (_seesOldState)
        {
            LoadRow(row, nameof(Row.Info));
            _il.Emit(OpCodes.Ldc_I4, Row.Old);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Brfalse, next);
            return;
        }
        LoadRow(row, nameof(Row.Stamp));
        LoadField(scan.IsBefore ? nameof(Evaluator.Low) : nameof(Evaluator.High));
        _il.Emit(scan.IsBefore ? OpCodes.Bge : OpCodes.Bgt, next);
    }

    // A premise's degree: the least so far goes on to the next step, and for products each is kept.
    private void Count(int part, LocalBuilder degree, int index)
    {
        if (_isProduct)
        {
            _degreeOfPart[part] = degree;
            return;
        }
        var (isLess, done) = (_il.DefineLabel(), _il.DefineLabel());
        _il.Emit(OpCodes.Ldloc, degree);
        _il.Emit(OpCodes.Ldloc, _degrees[index]);
        _il.Emit(OpCodes.Blt, isLess);
        PassDegree(index);
        _il.Emit(OpCodes.Br, done);
        _il.MarkLabel(isLess);
        _il.Emit(OpCodes.Ldloc, degree);
        _il.Emit(OpCodes.Stloc, _degrees[index + 1]);
        _il.MarkLabel(done);
    }

    private void PassDegree(int index)
    {
        if (_isProduct)
            return;
        _il.Emit(OpCodes.Ldloc, _degrees[index]);
        _il.Emit(OpCodes.Stloc, _degrees[index + 1]);
    }

    private void Compute(FunctionStep function, int index, Label next)
    {
        var result = _il.DeclareLocal(typeof(int));
        if (function.Code == BuiltinCode.Same)
            Load(function.Arguments[0]);
        else
        {
            Spill();
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldc_I4, index);
            Call(nameof(Evaluator.Compute));
        }
        _il.Emit(OpCodes.Stloc, result);
        _il.Emit(OpCodes.Ldloc, result);
        _il.Emit(OpCodes.Brfalse, next);
        if (function.Binds)
        {
            _il.Emit(OpCodes.Ldloc, result);
            _il.Emit(OpCodes.Stloc, _slots[function.Result]);
            return;
        }
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, (int)function.Code);
        _il.Emit(OpCodes.Ldloc, result);
        Load(function.Result);
        Call(nameof(Evaluator.IsSame));
        _il.Emit(OpCodes.Brfalse, next);
    }

    private void Gather(GatherStep gather, int index, Label next)
    {
        var degree = _il.DeclareLocal(typeof(double));
        Spill();
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, index);
        Call(nameof(Evaluator.Gather));
        _il.Emit(OpCodes.Stloc, degree);
        _il.Emit(OpCodes.Ldloc, degree);
        _il.Emit(OpCodes.Ldc_R8, 0.0);
        _il.Emit(OpCodes.Blt, next);
        if (gather.Binds)
        {
            _il.Emit(OpCodes.Ldarg_2);
            _il.Emit(OpCodes.Ldc_I4, gather.List);
            _il.Emit(OpCodes.Ldelem_I4);
            _il.Emit(OpCodes.Stloc, _slots[gather.List]);
        }
        Count(gather.Part, degree, index);
    }

    private void Members(MembersStep members, int index, Label next)
    {
        var (items, at) = (_il.DeclareLocal(typeof(int[])), _il.DeclareLocal(typeof(int)));
        var (loop, advance, check) = (_il.DefineLabel(), _il.DefineLabel(), _il.DefineLabel());
        Spill();
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, index);
        Call(nameof(Evaluator.MembersOf));
        _il.Emit(OpCodes.Stloc, items);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Stloc, at);
        _il.Emit(OpCodes.Br, check);
        _il.MarkLabel(loop);
        Spend();
        _il.Emit(OpCodes.Ldloc, items);
        _il.Emit(OpCodes.Ldloc, at);
        _il.Emit(OpCodes.Ldelem_I4);
        if (members.Binds)
            _il.Emit(OpCodes.Stloc, _slots[members.Member]);
        else
        {
            Load(members.Member);
            _il.Emit(OpCodes.Bne_Un, advance);
        }
        PassDegree(index);
        Step(index + 1, advance);
        _il.MarkLabel(advance);
        Increment(at);
        _il.MarkLabel(check);
        _il.Emit(OpCodes.Ldloc, at);
        _il.Emit(OpCodes.Ldloc, items);
        _il.Emit(OpCodes.Ldlen);
        _il.Emit(OpCodes.Conv_I4);
        _il.Emit(OpCodes.Blt, loop);
        _il.Emit(OpCodes.Br, next);
    }

    private void Walk(WalkStep walk, int index, Label next)
    {
        var (readings, at, degree) = (_il.DeclareLocal(typeof(Reading[])), _il.DeclareLocal(typeof(int)), _il.DeclareLocal(typeof(double)));
        var (loop, advance, check) = (_il.DefineLabel(), _il.DefineLabel(), _il.DefineLabel());
        Spill();
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, index);
        Call(nameof(Evaluator.ReadingsOf));
        _il.Emit(OpCodes.Stloc, readings);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Stloc, at);
        _il.Emit(OpCodes.Br, check);
        _il.MarkLabel(loop);
        Spend();
        LoadReading(nameof(Reading.List));
        _il.Emit(OpCodes.Stloc, _slots[walk.Members]);
        LoadReading(nameof(Reading.Path));
        _il.Emit(OpCodes.Stloc, _slots[walk.Path]);
        LoadReading(nameof(Reading.Degree));
        _il.Emit(OpCodes.Stloc, degree);
        Count(walk.Part, degree, index);
        Step(index + 1, advance);
        _il.MarkLabel(advance);
        Increment(at);
        _il.MarkLabel(check);
        _il.Emit(OpCodes.Ldloc, at);
        _il.Emit(OpCodes.Ldloc, readings);
        _il.Emit(OpCodes.Ldlen);
        _il.Emit(OpCodes.Conv_I4);
        _il.Emit(OpCodes.Blt, loop);
        _il.Emit(OpCodes.Br, next);

        void LoadReading(string field)
        {
            _il.Emit(OpCodes.Ldloc, readings);
            _il.Emit(OpCodes.Ldloc, at);
            _il.Emit(OpCodes.Ldelema, typeof(Reading));
            _il.Emit(OpCodes.Ldfld, typeof(Reading).GetField(field)!);
        }
    }

    private void Goal(int index)
    {
        var rule = _plan.Rule;
        switch (_plan.Goal)
        {
            case Engine.Goal.Derive or Engine.Goal.Undermine:
                if (rule.Heads.Any(head => Operand.IsSkolem(head.S) || Operand.IsSkolem(head.O)))
                    Spill();
                foreach (var head in rule.Heads)
                {
                    _il.Emit(OpCodes.Ldarg_0);
                    LoadHead(head);
                    if (_plan.Goal == Engine.Goal.Derive)
                        LoadDegree(index, withRule: true);
                    LoadWitness();
                    Call(_plan.Goal == Engine.Goal.Derive ? nameof(Evaluator.Derive) : nameof(Evaluator.Undermine));
                }
                break;
            case Engine.Goal.Support:
                Spill();
                _il.Emit(OpCodes.Ldarg_0);
                LoadHead(rule.Heads[_plan.Head]);
                LoadDegree(index, withRule: true);
                LoadWitness();
                Call(nameof(Evaluator.Support));
                StopUnlessTrue();
                break;
            case Engine.Goal.Exists:
                _il.Emit(OpCodes.Ldarg_0);
                Call(nameof(Evaluator.Finish));
                _il.Emit(OpCodes.Ret);
                // What comes after is not reached, and needs an empty stack.
                break;
            default:
                Spill();
                _il.Emit(OpCodes.Ldarg_0);
                Load(_plan.Template);
                LoadDegree(index, withRule: false);
                Call(nameof(Evaluator.Collect));
                break;
        }
    }

    private void StopUnlessTrue()
    {
        var goOn = _il.DefineLabel();
        _il.Emit(OpCodes.Brtrue, goOn);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Ret);
        _il.MarkLabel(goOn);
    }

    private void LoadHead(AtomPart head)
    {
        foreach (var operand in new[] { head.S, head.P, head.O })
        {
            if (!Operand.IsSkolem(operand))
            {
                Load(operand);
                continue;
            }
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldc_I4, operand);
            Call(nameof(Evaluator.HeadValue));
        }
    }

    // In the order of the body, whatever the order of the steps; the rule's own last.
    private void LoadDegree(int index, bool withRule)
    {
        if (!_isProduct)
        {
            _il.Emit(OpCodes.Ldloc, _degrees[index]);
            if (withRule)
            {
                LoadConfidence();
                _il.Emit(OpCodes.Call, typeof(Math).GetMethod(nameof(Math.Min), [typeof(double), typeof(double)])!);
            }
            return;
        }
        _il.Emit(OpCodes.Ldc_R8, 1.0);
        foreach (var part in _plan.Premises)
        {
            _il.Emit(OpCodes.Ldloc, _degreeOfPart[part]);
            _il.Emit(OpCodes.Mul);
        }
        if (withRule)
        {
            LoadConfidence();
            _il.Emit(OpCodes.Mul);
        }
    }

    private void LoadConfidence()
    {
        _il.Emit(OpCodes.Ldarg_0);
        Call("get_" + nameof(Evaluator.Confidence));
    }

    private void LoadWitness()
    {
        _il.Emit(OpCodes.Ldc_I8, unchecked((long)Evaluator.WitnessSeed));
        foreach (var slot in _plan.Rule.WitnessSlots)
        {
            var hash = _il.DeclareLocal(typeof(long));
            _il.Emit(OpCodes.Ldloc, _slots[slot]);
            _il.Emit(OpCodes.Conv_U8);
            _il.Emit(OpCodes.Xor);
            _il.Emit(OpCodes.Ldc_I8, unchecked((long)Evaluator.WitnessFactor));
            _il.Emit(OpCodes.Mul);
            _il.Emit(OpCodes.Stloc, hash);
            _il.Emit(OpCodes.Ldloc, hash);
            _il.Emit(OpCodes.Ldc_I4, Evaluator.WitnessTurn);
            _il.Emit(OpCodes.Shl);
            _il.Emit(OpCodes.Ldloc, hash);
            _il.Emit(OpCodes.Ldc_I4, 64 - Evaluator.WitnessTurn);
            _il.Emit(OpCodes.Shr_Un);
            _il.Emit(OpCodes.Or);
        }
    }

    // What calls back reads the variables from the evaluator.
    private void Spill()
    {
        for (var slot = 0; slot < _slots.Length; slot++)
        {
            _il.Emit(OpCodes.Ldarg_2);
            _il.Emit(OpCodes.Ldc_I4, slot);
            _il.Emit(OpCodes.Ldloc, _slots[slot]);
            _il.Emit(OpCodes.Stelem_I4);
        }
    }

    private void Spend()
    {
        var enough = _il.DefineLabel();
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldfld, Field(nameof(Evaluator.Steps)));
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Conv_I8);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stfld, Field(nameof(Evaluator.Steps)));
        LoadField(nameof(Evaluator.Steps));
        LoadField(nameof(Evaluator.SettleAt));
        _il.Emit(OpCodes.Blt, enough);
        _il.Emit(OpCodes.Ldarg_0);
        Call(nameof(Evaluator.Settle));
        _il.MarkLabel(enough);
    }

    private void Increment(LocalBuilder local)
    {
        _il.Emit(OpCodes.Ldloc, local);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, local);
    }

    private void Load(int operand)
    {
        if (Operand.IsSlot(operand))
        {
            _il.Emit(OpCodes.Ldloc, _slots[operand]);
            return;
        }
        _il.Emit(OpCodes.Ldarg_1);
        _il.Emit(OpCodes.Ldc_I4, ~operand);
        _il.Emit(OpCodes.Ldelem_I4);
    }

    private void LoadField(string name)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldfld, Field(name));
    }

    private void LoadRow(LocalBuilder row, string field)
    {
        _il.Emit(OpCodes.Ldloc, row);
        _il.Emit(OpCodes.Ldfld, typeof(Row).GetField(field)!);
    }

    private void Call(string name) => _il.Emit(OpCodes.Call, typeof(Evaluator).GetMethod(name, BindingFlags.Instance | BindingFlags.Public)!);

    private static FieldInfo Field(string name) => typeof(Evaluator).GetField(name)!;
}
