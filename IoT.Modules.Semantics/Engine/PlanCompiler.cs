using System.Text;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Makes machine code of plans that have been interpreted often enough to be worth it. Plans that differ in nothing but constants share
/// their code, so a thousand threshold rules cost one compilation.
/// </summary>
internal sealed class PlanCompiler(EngineOptions options)
{
    /// <summary>Shapes whose code is kept; beyond that all of it is forgotten, and made again where it is needed.</summary>
    private const int MostShapes = 4_096;

    private readonly Dictionary<string, PlanCode> _code = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Null: not yet.</summary>
    public PlanCode? CodeOf(Plan plan, bool seesOldState)
    {
        var code = seesOldState ? plan.OldCode : plan.Code;
        return code is not null || plan.Interpreted < options.CompileAfter ? code : Compile(plan, seesOldState);
    }

    private PlanCode? Compile(Plan plan, bool seesOldState)
    {
        // Whoever comes while another makes code goes on without.
        if (!_lock.TryEnter())
            return null;
        try
        {
            var shape = Shape(plan, seesOldState);
            if (!_code.TryGetValue(shape, out var code))
            {
                if (_code.Count >= MostShapes)
                    _code.Clear();
                _code.Add(shape, code = new PlanEmitter(plan, seesOldState, options.Product).Emit());
            }
            if (seesOldState)
                plan.OldCode = code;
            else
                plan.Code = code;
            return code;
        }
        finally
        {
            _lock.Exit();
        }
    }

    // Everything that the code depends on: operands say which constant, not what it is.
    private string Shape(Plan plan, bool seesOldState)
    {
        var shape = new StringBuilder().Append(seesOldState ? 'o' : 'n').Append(options.Product ? 'p' : 'm').Append(plan.Goal).Append(plan.Rule.Names.Length);
        foreach (var step in plan.Steps)
        {
            switch (step)
            {
                case FunctionStep function:
                    Add("f", [(int)function.Code, function.IsList ? 1 : 0, function.Result, function.Binds ? 1 : 0, .. function.Arguments]);
                    break;
                case AbsentStep:
                    Add("a", []);
                    break;
                case GatherStep gather:
                    Add("g", [gather.List, gather.Binds ? 1 : 0, gather.Part]);
                    break;
                case MembersStep members:
                    Add("m", [members.Member, members.Binds ? 1 : 0]);
                    break;
                default:
                    // Records of numbers say what they are.
                    shape.Append(step);
                    break;
            }
        }
        if (plan.Goal is Goal.Derive or Goal.Undermine or Goal.Support)
        {
            foreach (var head in plan.Goal == Goal.Support ? [plan.Rule.Heads[plan.Head]] : plan.Rule.Heads)
                Add("h", [head.S, head.P, head.O]);
            Add("w", plan.Rule.WitnessSlots);
        }
        else
            Add("t", [plan.Template]);
        return shape.ToString();

        void Add(string kind, int[] numbers) => shape.Append(kind).AppendJoin(',', numbers).Append(';');
    }
}
