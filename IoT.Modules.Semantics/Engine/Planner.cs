using IoT.Modules.Semantics.Rules;

namespace IoT.Modules.Semantics.Engine;

/// <summary>Chooses the order in which the parts of a body are evaluated: what yields least first, conditions as soon as they can be.</summary>
internal sealed class Planner(FactStore store)
{
    /// <summary>So many times as many facts, and some more, are other ones.</summary>
    private const int Drift = 8;
    private const int Slack = 100;

    /// <summary>A pattern that yields so few facts comes before the reading of a list.</summary>
    private const double CheaperThanList = 4;

    private double _looks;

    /// <summary>The whole body, from nothing.</summary>
    public Plan Full(CompiledRule rule) => new(rule, Goal.Derive, Steps(rule, rule.Body, [], -1, outer: [])) { MadeFor = Sizes(rule), CheckedAt = store.Count, Looks = _looks };

    /// <summary>From changed rows of one pattern; patterns before it take only older rows, so that a pair of changed ones is met once.</summary>
    public Plan Changed(Trigger trigger, Goal goal)
    {
        var rule = trigger.Rule;
        var bound = new HashSet<int>();
        var steps = new List<Step>();
        if (trigger.IsNested)
        {
            // What the pattern shares with the body around it: those ways to satisfy the body are looked at again.
            var shared = rule.InPatterns;
            var atom = trigger.Atom;
            steps.Add(Given(atom, bound, shared.Contains, part: -1));
            steps.AddRange(Steps(rule, rule.Body, bound, -1, outer: []));
            return new Plan(rule, goal, goal == Goal.Undermine ? Pruned(rule, steps) : [.. steps]) { MadeFor = Sizes(rule), CheckedAt = store.Count, Looks = 1 + _looks };
        }
        if (rule.Body[trigger.Part] is WalkPart walk)
        {
            // The list is read from its beginning, whichever part of it has changed.
            steps.Add(Given(trigger.Atom, bound, slot => slot == walk.List, part: -1));
            steps.AddRange(Steps(rule, rule.Body, bound, -1, outer: []));
        }
        else
        {
            steps.Add(Given(trigger.Atom, bound, _ => true, trigger.Part));
            steps.AddRange(Steps(rule, rule.Body, bound, trigger.Part, outer: []));
        }
        return new Plan(rule, goal, goal == Goal.Undermine ? Pruned(rule, steps) : [.. steps]) { MadeFor = Sizes(rule), CheckedAt = store.Count, Looks = 1 + _looks };
    }

    // What is lost matters where there are conclusions to be lost, and most changed readings have none: that is asked as soon as a join
    // knows enough of the heads to ask, and again whenever it knows more.
    private static Step[] Pruned(CompiledRule rule, List<Step> steps)
    {
        if (rule.Heads.Any(head => Operand.IsSkolem(head.S) || Operand.IsSkolem(head.O)))
            return [.. steps];
        var pruned = new List<Step>();
        var bound = new HashSet<int>();
        var known = -1;
        for (var i = 0; i < steps.Count; i++)
        {
            pruned.Add(steps[i]);
            // What only the inside of a negation binds is no value of the body's.
            bound.UnionWith(BoundBy(steps[i]).Where(slot => steps[i] is not ScanStep { Access: Access.Given, Part: < 0 } || rule.InPatterns.Contains(slot)));
            // A condition that follows is cheaper than asking.
            if (i + 1 == steps.Count || steps[i + 1] is TestStep or ScanStep { Access: Access.Exact })
                continue;
            var keys = rule.Heads.Select(KeyOf).ToArray();
            if (!keys.All(key => key is { HasS: true } or { HasO: true }) || !keys.All(key => IsKnown(key.P)))
                continue;
            var now = keys.Sum(key => (key.HasS ? 1 : 0) + (key.HasO ? 1 : 0));
            if (now > known)
                pruned.Add(new StandsStep(keys));
            known = now;
        }
        return [.. pruned];

        bool IsKnown(int operand) => !Operand.IsSlot(operand) || bound.Contains(operand);

        HeadKey KeyOf(AtomPart head) => new(IsKnown(head.S) ? head.S : 0, head.P, IsKnown(head.O) ? head.O : 0, IsKnown(head.S), IsKnown(head.O));
    }

    private static IEnumerable<int> BoundBy(Step step)
    {
        switch (step)
        {
            case ScanStep scan:
                foreach (var (operand, use) in new[] { (scan.S, scan.UseS), (scan.P, scan.UseP), (scan.O, scan.UseO) })
                {
                    if (use == Use.Bind)
                        yield return operand;
                }
                break;
            case FunctionStep { Binds: true } function:
                yield return function.Result;
                break;
            case MembersStep { Binds: true } members:
                yield return members.Member;
                break;
            case WalkStep walk:
                yield return walk.Members;
                yield return walk.Path;
                break;
            case GatherStep { Binds: true } gather:
                yield return gather.List;
                break;
        }
    }

    /// <summary>From a head that is given: is there support for it?</summary>
    public Plan Support(CompiledRule rule, int head)
    {
        var bound = new HashSet<int>(rule.Heads[head].Slots.Where(rule.InPatterns.Contains));
        return new Plan(rule, Goal.Support, Steps(rule, rule.Body, bound, -1, outer: []), head) { MadeFor = Sizes(rule), CheckedAt = store.Count };
    }

    /// <summary>How many facts have the predicates of a rule's patterns: when one changes much, another order may be better.</summary>
    public long[] Sizes(CompiledRule rule) => [.. Atoms(rule.Body).Select(atom => SizeOf(rule, atom))];

    public bool IsAbout(CompiledRule rule, long[] sizes)
    {
        var index = 0;
        foreach (var atom in Atoms(rule.Body))
        {
            var (now, then) = (SizeOf(rule, atom), sizes[index++]);
            if (now > (then * Drift) + Slack || then > (now * Drift) + Slack)
                return false;
        }
        return true;
    }

    private long SizeOf(CompiledRule rule, AtomPart atom) => Operand.IsConstant(atom.P) ? store.PredicateCount(rule.Resolve(atom.P)) : store.Count;

    private static IEnumerable<AtomPart> Atoms(IEnumerable<CompiledPart> parts) => parts.SelectMany(part => part switch
    {
        AtomPart atom => [atom],
        AbsentPart absent => Atoms(absent.Parts),
        GatherPart gather => Atoms(gather.Parts),
        _ => [],
    });

    private static ScanStep Given(AtomPart atom, HashSet<int> bound, Func<int, bool> isWanted, int part)
    {
        var seen = new HashSet<int>();
        var (s, p, o) = (UseOf(atom.S), UseOf(atom.P), UseOf(atom.O));
        bound.UnionWith(seen.Where(isWanted));
        return new ScanStep(atom.S, atom.P, atom.O, Access.Given, s, p, o, IsBefore: false, part);

        Use UseOf(int operand) => Operand.IsSlot(operand) && seen.Add(operand) ? Use.Bind : Use.Compare;
    }

    private Step[] Steps(CompiledRule rule, IReadOnlyList<CompiledPart> parts, HashSet<int> bound, int changed, HashSet<int> outer)
    {
        var steps = new List<Step>();
        var waiting = Enumerable.Range(0, parts.Count).Where(i => i != changed).ToList();
        var (ways, looks) = (1.0, 0.0);
        var all = new HashSet<int>(outer);
        foreach (var part in parts)
            all.UnionWith(Shown(part));
        all.UnionWith(rule.Heads.SelectMany(head => head.Slots));
        while (waiting.Count > 0)
        {
            var ready = waiting.FindIndex(i => parts[i] is not (AtomPart or WalkPart) && IsReady(rule, parts, i, bound, all));
            if (ready >= 0)
            {
                steps.Add(Computed(rule, parts[waiting[ready]], bound, all, waiting[ready]));
                waiting.RemoveAt(ready);
                continue;
            }
            var best = -1;
            var least = double.MaxValue;
            foreach (var i in waiting)
            {
                if (parts[i] is AtomPart atom && Cost(rule, atom, bound) is var cost && cost < least)
                    (best, least) = (i, cost);
            }
            var list = waiting.FindIndex(i => parts[i] is WalkPart walk && (!Operand.IsSlot(walk.List) || bound.Contains(walk.List)));
            // A list is read when it is known to be somebody's and little else can be found out before.
            if (list >= 0 && (best < 0 || (least > CheaperThanList && !waiting.Exists(i => parts[i] is AtomPart atom && atom.Slots.Contains(((WalkPart)parts[waiting[list]]).List)))))
            {
                steps.Add(Computed(rule, parts[waiting[list]], bound, all, waiting[list]));
                waiting.RemoveAt(list);
                continue;
            }
            if (best < 0)
                throw new InvalidOperationException($"the conditions of rule '{rule.Source.Name}' can't be put in order");
            // A value that has changed without crossing a threshold is sent to nobody: it must be seen although it is new.
            steps.Add(Scan((AtomPart)parts[best], bound, best < changed && !(rule.Threshold?.Atom == best && ReferenceEquals(parts, rule.Body)), best));
            waiting.Remove(best);
            ways *= least;
            looks += ways;
        }
        // Those of conditions within are made first, and count for nothing.
        _looks = looks;
        return [.. steps];
    }

    // Rows that a pattern yields for each way to have got there.
    private double Cost(CompiledRule rule, AtomPart atom, HashSet<int> bound)
    {
        var (s, p, o) = (IsKnown(atom.S), IsKnown(atom.P), IsKnown(atom.O));
        if (s && p && o)
            return 0.01;
        if (!p)
            return s && o ? 1 : s ? 20 : o ? Math.Max(30, store.Count * 0.02) : store.Count + 1e6;
        if (!Operand.IsConstant(atom.P))
            return s ? 2 : o ? 20 : (double)store.Count / store.Predicates;
        var predicate = rule.Resolve(atom.P);
        double count = store.PredicateCount(predicate);
        if (s)
            return Operand.IsConstant(atom.S) ? store.BySubject.Count(rule.Resolve(atom.S), predicate) + 0.1 : (count / Math.Max(1, store.SubjectCount(predicate))) + 0.1;
        if (o)
            return Operand.IsConstant(atom.O) ? store.ByObject.Count(rule.Resolve(atom.O), predicate) + 0.1 : (count / Math.Max(1, store.ObjectCount(predicate))) + 0.1;
        return count + 0.2;

        bool IsKnown(int operand) => !Operand.IsSlot(operand) || bound.Contains(operand);
    }

    private static ScanStep Scan(AtomPart atom, HashSet<int> bound, bool isBefore, int part)
    {
        var (s, p, o) = (IsKnown(atom.S), IsKnown(atom.P), IsKnown(atom.O));
        var access = (s, p, o) switch
        {
            (true, true, true) => Access.Exact,
            (true, true, _) => Access.SubjectPredicate,
            (_, true, true) => Access.ObjectPredicate,
            (_, true, _) => Access.Predicate,
            (true, _, _) => Access.Subject,
            (_, _, true) => Access.Object,
            _ => Access.All,
        };
        var (useS, useP, useO) = (UseOf(atom.S, s && access is Access.Exact or Access.SubjectPredicate or Access.Subject), UseOf(atom.P, p), UseOf(atom.O, o && access is Access.Exact or Access.ObjectPredicate or Access.Object));
        return new ScanStep(atom.S, atom.P, atom.O, access, useS, useP, useO, isBefore, part);

        bool IsKnown(int operand) => !Operand.IsSlot(operand) || bound.Contains(operand);

        Use UseOf(int operand, bool isFound) => isFound && IsFoundBy(operand) ? Use.None : Operand.IsSlot(operand) && bound.Add(operand) ? Use.Bind : Use.Compare;

        // A variable twice in one pattern is found by neither.
        bool IsFoundBy(int operand) => !Operand.IsSlot(operand) || bound.Contains(operand);
    }

    private static bool IsReady(CompiledRule rule, IReadOnlyList<CompiledPart> parts, int index, HashSet<int> bound, HashSet<int> all)
    {
        switch (parts[index])
        {
            case ComputedPart part:
                return part.Builtin.Shape switch
                {
                    BuiltinShape.Test => Known(part.Arguments) && Known(part.Objects),
                    // A result that a pattern binds too is compared by value, whatever the order: the pattern comes first.
                    BuiltinShape.Function => Known(part.Arguments) && (Known(part.Objects) || !parts.OfType<AtomPart>().Any(atom => atom.Slots.Contains(part.Objects[0]))),
                    BuiltinShape.Equality => (Known(part.Arguments) && !part.ObjectIsList) || (Known(part.Objects) && !part.SubjectIsList),
                    _ => Known(part.Builtin.ListIsSubject ? part.Arguments : part.Objects),
                };
            case AbsentPart absent:
                return Inner(absent.Parts).Where(all.Contains).All(bound.Contains);
            case GatherPart gather:
                var others = new HashSet<int>(rule.Heads.SelectMany(head => head.Slots));
                for (var i = 0; i < parts.Count; i++)
                {
                    if (i != index)
                        others.UnionWith(Shown(parts[i]));
                }
                return Inner(gather.Parts).Where(others.Contains).All(bound.Contains);
            default:
                return false;
        }

        bool Known(int[] operands) => operands.All(operand => !Operand.IsSlot(operand) || bound.Contains(operand));
    }

    private Step Computed(CompiledRule rule, CompiledPart part, HashSet<int> bound, HashSet<int> all, int index)
    {
        switch (part)
        {
            case AbsentPart absent:
                return new AbsentStep(new Plan(rule, Goal.Exists, Steps(rule, absent.Parts, Within(absent.Parts), -1, all)));
            case GatherPart gather:
                var steps = Steps(rule, gather.Parts, Within(gather.Parts), -1, [.. all, .. new[] { gather.Template }.Where(Operand.IsSlot)]);
                return new GatherStep(new Plan(rule, Goal.Gather, steps, template: gather.Template), gather.List, bound.Add(gather.List), index);
            case WalkPart walk:
                bound.Add(walk.Members);
                return new WalkStep(walk.List, walk.Members, walk.Path, index);
            case ComputedPart { Builtin: var builtin } computed:
                switch (builtin.Shape)
                {
                    case BuiltinShape.Test:
                        return new TestStep(builtin.Code, computed.Arguments[0], computed.Objects[0]);
                    case BuiltinShape.Members:
                        var (items, isList, member) = builtin.ListIsSubject
                            ? (computed.Arguments, computed.SubjectIsList, computed.Objects[0])
                            : (computed.Objects, computed.ObjectIsList, computed.Arguments[0]);
                        return new MembersStep(items, isList, member, Operand.IsSlot(member) && bound.Add(member));
                    case BuiltinShape.Equality:
                        var left = computed.Arguments[0];
                        var isLeftKnown = !Operand.IsSlot(left) || bound.Contains(left);
                        var (known, other) = isLeftKnown ? (left, computed.Objects[0]) : (computed.Objects[0], left);
                        return new FunctionStep(builtin.Code, [known], false, other, Operand.IsSlot(other) && bound.Add(other));
                    default:
                        var result = computed.Objects[0];
                        return new FunctionStep(builtin.Code, computed.Arguments, computed.SubjectIsList, result, Operand.IsSlot(result) && bound.Add(result));
                }
            default:
                throw new InvalidOperationException($"{part.GetType().Name} is no condition");
        }

        HashSet<int> Within(IReadOnlyList<CompiledPart> parts) => [.. Inner(parts).Where(bound.Contains)];
    }

    /// <summary>Variables anywhere within parts.</summary>
    public static IEnumerable<int> Inner(IEnumerable<CompiledPart> parts) => parts.SelectMany(part => part switch
    {
        AtomPart atom => atom.Slots,
        ComputedPart computed => computed.Arguments.Concat(computed.Objects).Where(Operand.IsSlot),
        AbsentPart absent => Inner(absent.Parts),
        GatherPart gather => Inner(gather.Parts).Append(gather.List).Concat(new[] { gather.Template }.Where(Operand.IsSlot)),
        WalkPart walk => new[] { walk.List, walk.Members }.Where(Operand.IsSlot),
        _ => [],
    });

    private static IEnumerable<int> Shown(CompiledPart part) => part switch
    {
        AtomPart atom => atom.Slots,
        ComputedPart computed => computed.Arguments.Concat(computed.Objects).Where(Operand.IsSlot),
        GatherPart gather => [gather.List],
        WalkPart walk => new[] { walk.List, walk.Members }.Where(Operand.IsSlot),
        _ => [],
    };
}
