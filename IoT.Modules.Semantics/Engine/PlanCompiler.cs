namespace IoT.Modules.Semantics.Engine;

/// <summary>Makes machine code of plans.</summary>
internal static class PlanCompiler
{
    public static PlanCode? CodeOf(Plan plan, bool oldState, bool product)
    {
        _ = product;
        return oldState ? plan.OldCode : plan.Code;
    }
}
