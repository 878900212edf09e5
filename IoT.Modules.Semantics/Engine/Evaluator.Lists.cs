using System.Numerics;
using System.Runtime.InteropServices;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>A list that a node begins: its members as one term, and the least degree of the facts that it is made of.</summary>
internal struct Reading
{
    public int List;
    public double Degree;

    /// <summary>From its nodes and members: another way to read a list has another.</summary>
    public int Path;
}

/// <summary>
/// Lists in facts: from a node along <c>rdf:rest</c> to <c>rdf:nil</c>, never through a node twice. What doesn't get there, because it goes
/// in a circle or something is missing, is no list. A node with several <c>rdf:first</c> or <c>rdf:rest</c> begins each list that can be
/// read so: more facts never take a list away, so that rules may derive lists and look at them at once.
/// </summary>
internal sealed partial class Evaluator
{
    /// <summary>A node that begins more lists is an error: with two choices a member there are thousands soon.</summary>
    private const int MostReadings = 1_000;

    private const int MostVisits = 1_000_000;

    private readonly List<int> _path = [];

    /// <summary>The lists that a step of the plan that runs has before it.</summary>
    public Reading[] ReadingsOf(int step)
    {
        var node = Value(((WalkStep)Plan!.Steps[step]).List);
        if (node == Known.Nil)
            return [new Reading { List = terms.InternList([]), Degree = 1 }];
        switch (terms.Kind(node))
        {
            case TermKind.List:
                return [new Reading { List = node, Degree = 1 }];
            case TermKind.Literal:
                return [];
        }
        if (IsStraight(node) is { } ends)
            return ends ? [ReadingOf(CollectionsMarshal.AsSpan(_path))] : [];
        return [.. Paths(node).Select(path => ReadingOf(path))];
    }

    /// <summary>The facts that a list was read from.</summary>
    public IReadOnlyList<int> RowsOfList(int node, int way)
    {
        (Rows, SeesOldState, High) = (Store.Rows, false, int.MaxValue - 1);
        if (node == Known.Nil || terms.Kind(node) is TermKind.List or TermKind.Literal)
            return [];
        if (IsStraight(node) is { } ends)
            return ends ? [.. _path] : [];
        return Paths(node).Find(path => ReadingOf(path).Path == way) ?? [];
    }

    // In the path: first, rest, first, rest. Null: somewhere there are several.
    private bool? IsStraight(int node)
    {
        _path.Clear();
        // A circle comes back to the marked node, which is moved on now and then.
        var (marked, steps, next) = (node, 0, 1);
        while (node != Known.Nil)
        {
            Spend();
            var (first, rest) = (Visible(BySubject.Head(node, Known.First)), Visible(BySubject.Head(node, Known.Rest)));
            if (first == 0 || rest == 0)
                return false;
            if (Visible(Rows[first].NextSp) != 0 || Visible(Rows[rest].NextSp) != 0)
                return null;
            _path.Add(first);
            _path.Add(rest);
            node = Rows[rest].O;
            if (node == marked)
                return false;
            if (++steps == next)
                (marked, next) = (node, next * 2);
        }
        return true;
    }

    // Every way from a node to the end.
    private List<int[]> Paths(int node)
    {
        var (paths, above, choices, visits) = (new List<int[]>(), new HashSet<int> { node }, new Stack<(int Node, int First, int Tail)>(), 0);
        var ending = Ending(node);
        choices.Push((node, Visible(BySubject.Head(node, Known.First)), Visible(BySubject.Head(node, Known.Rest))));
        while (choices.TryPop(out var choice))
        {
            Spend();
            if (++visits > MostVisits || paths.Count > MostReadings)
                throw new EngineException(new EngineError(EngineErrorKind.StepLimit, $"the list that begins at {terms.Get(node)} can be read in more than {MostReadings} ways"));
            if (choice.First == 0 || choice.Tail == 0)
            {
                above.Remove(choice.Node);
                if (choices.TryPop(out var parent))
                    choices.Push(Next(parent));
                continue;
            }
            choices.Push(choice);
            var next = Rows[choice.Tail].O;
            if (ending.Contains(next) && above.Add(next))
            {
                choices.Push((next, Visible(BySubject.Head(next, Known.First)), Visible(BySubject.Head(next, Known.Rest))));
                continue;
            }
            if (next == Known.Nil)
            {
                paths.Add([.. choices.Reverse().SelectMany(step => new[] { step.First, step.Tail })]);
                visits += choices.Count;
            }
            choices.Push(Next(choices.Pop()));
        }
        return paths;

        (int, int, int) Next((int Node, int First, int Tail) choice) => Visible(Rows[choice.Tail].NextSp) is var rest and not 0
            ? (choice.Node, choice.First, rest)
            : (choice.Node, Visible(Rows[choice.First].NextSp), Visible(BySubject.Head(choice.Node, Known.Rest)));
    }

    // The nodes behind one from which the end can be reached, so that nobody looks for it in vain again and again.
    private HashSet<int> Ending(int node)
    {
        var (nodes, before) = (new List<int> { node }, new Dictionary<int, List<int>> { [node] = [] });
        var ending = new HashSet<int>();
        var found = new Queue<int>();
        for (var i = 0; i < nodes.Count; i++)
        {
            Spend();
            if (Visible(BySubject.Head(nodes[i], Known.First)) == 0)
                continue;
            for (var rest = Visible(BySubject.Head(nodes[i], Known.Rest)); rest != 0; rest = Visible(Rows[rest].NextSp))
            {
                var next = Rows[rest].O;
                if (next == Known.Nil)
                {
                    if (ending.Add(nodes[i]))
                        found.Enqueue(nodes[i]);
                    continue;
                }
                if (before.TryAdd(next, []))
                    nodes.Add(next);
                before[next].Add(nodes[i]);
            }
        }
        while (found.TryDequeue(out var end))
        {
            foreach (var earlier in before[end])
            {
                if (ending.Add(earlier))
                    found.Enqueue(earlier);
            }
        }
        return ending;
    }

    private Reading ReadingOf(ReadOnlySpan<int> path)
    {
        var degree = 1.0;
        var items = new int[path.Length / 2];
        var way = WitnessSeed;
        for (var i = 0; i < path.Length; i++)
        {
            ref var row = ref Rows[path[i]];
            degree = Combine(degree, row.Degree);
            way = BitOperations.RotateLeft((way ^ (uint)row.O) * WitnessFactor, WitnessTurn);
            if (i % 2 == 0)
                items[i / 2] = row.O;
        }
        return new Reading { List = terms.InternList(items), Degree = degree, Path = (int)(way >> 32) };
    }

    // The row itself, or the next of its list, that is seen.
    private int Visible(int row)
    {
        while (row != 0 && !Sees(ref Rows[row], isBefore: false))
            row = Rows[row].NextSp;
        return row;
    }
}
