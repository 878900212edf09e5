namespace IoT.Modules.Semantics.Engine;

/// <summary>What facts stand on.</summary>
internal sealed partial class Reasoner
{
    /// <summary>The step by which a fact is derived, its witness; without a rule when it is asserted.</summary>
    public Derivation Why(int index)
    {
        var row = store.Rows[index];
        if (row.IsAsserted || Rules[row.Rule] is not { } rule)
            return new Derivation(index, null, [], []);
        var evaluator = Evaluator;
        evaluator.High = int.MaxValue - 1;
        for (var head = 0; head < rule.Heads.Length; head++)
        {
            var plan = SupportPlan(rule, head);
            if (!evaluator.FindSupport(plan, row.S, row.P, row.O, row.Degree, row.Witness) || evaluator.BestValues is not { } values)
                continue;
            var premises = new List<int>();
            AddPremises(rule, rule.Body, values, premises);
            foreach (var gather in plan.Steps.OfType<GatherStep>())
            {
                var parts = rule.Body.OfType<GatherPart>().First(part => part.List == gather.List).Parts;
                foreach (var solution in evaluator.Solutions(gather.Inner, values))
                    AddPremises(rule, parts, solution, premises);
            }
            return new Derivation(index, rule, values, premises);
        }
        throw new InvalidOperationException($"the rule '{rule.Source.Name}' no longer derives what stands on it");
    }

    private void AddPremises(CompiledRule rule, IReadOnlyList<CompiledPart> parts, int[] values, List<int> premises)
    {
        foreach (var atom in parts.OfType<AtomPart>())
        {
            var premise = store.Find(Of(atom.S), Of(atom.P), Of(atom.O));
            if (premise != 0 && !premises.Contains(premise))
                premises.Add(premise);
        }
        foreach (var walk in parts.OfType<WalkPart>())
        {
            foreach (var row in Evaluator.RowsOfList(Of(walk.List), values[walk.Path]))
            {
                if (!premises.Contains(row))
                    premises.Add(row);
            }
        }

        int Of(int operand) => Operand.IsSlot(operand) ? values[operand] : rule.Resolve(operand);
    }
}
