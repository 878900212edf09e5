using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>
/// Patterns that only compare a value with constants, by these: of a thousand, those are found that a value passes, or that one value
/// passes and the one that takes its place doesn't. Bounds are searched as doubles, in ranges that are rather too wide, and then compared
/// exactly.
/// </summary>
internal sealed class ThresholdIndex(TermDictionary terms)
{
    private readonly Builtins _builtins = new(terms);
    private readonly List<Trigger> _all = [];
    private readonly List<Trigger> _others = [];
    private readonly List<(double Bound, Trigger Trigger)> _above = [];
    private readonly List<(double Bound, Trigger Trigger)> _below = [];
    private readonly List<(double Bound, Trigger Trigger)> _bounds = [];

    public void Add(Trigger trigger)
    {
        _all.Add(trigger);
        foreach (var test in trigger.Threshold!.Tests)
        {
            if (BoundOf(trigger, test) is { } bound)
                _bounds.Add((bound, trigger));
        }
        if (trigger.Threshold.Tests is [var only] && BoundOf(trigger, only) is { } limit && only.Builtin.Code is not (BuiltinCode.NumberEqual or BuiltinCode.NumberNotEqual))
        {
            var isValueFirst = only.Arguments[0] == trigger.Threshold.Slot;
            var wantsMore = (only.Builtin.Code is BuiltinCode.Greater or BuiltinCode.NotLess) == isValueFirst;
            (wantsMore ? _above : _below).Add((limit, trigger));
        }
        else
            _others.Add(trigger);
    }

    public void Sort()
    {
        foreach (var list in new[] { _above, _below, _bounds })
            list.Sort((left, right) => left.Bound.CompareTo(right.Bound));
    }

    /// <summary>Those that a value passes.</summary>
    public void Passed(int value, List<Trigger> found)
    {
        if (!IsIndexed(value, out var number))
        {
            AddPassed(_all);
            return;
        }
        AddPassed(_others);
        for (var i = 0; i < _above.Count && _above[i].Bound <= number; i++)
        {
            if (_above[i].Trigger.Holds(_builtins, value))
                found.Add(_above[i].Trigger);
        }
        for (var i = _below.Count - 1; i >= 0 && _below[i].Bound >= number; i--)
        {
            if (_below[i].Trigger.Holds(_builtins, value))
                found.Add(_below[i].Trigger);
        }

        void AddPassed(List<Trigger> triggers)
        {
            foreach (var trigger in triggers)
            {
                if (trigger.Holds(_builtins, value))
                    found.Add(trigger);
            }
        }
    }

    /// <summary>Those that one of two values passes.</summary>
    public void Crossed(int before, int after, List<Trigger> lost, List<Trigger> gained)
    {
        if (!IsIndexed(before, out var from) || !IsIndexed(after, out var to))
        {
            foreach (var trigger in _all)
                Add(trigger);
            return;
        }
        var (low, high) = (Math.Min(from, to), Math.Max(from, to));
        for (var i = FirstAtLeast(low); i < _bounds.Count && _bounds[i].Bound <= high; i++)
            Add(_bounds[i].Trigger);

        // With two bounds in between it comes twice, which does no harm.
        void Add(Trigger trigger)
        {
            var (was, isNow) = (trigger.Holds(_builtins, before), trigger.Holds(_builtins, after));
            if (was != isNow)
                (was ? lost : gained).Add(trigger);
        }
    }

    // What is compared as a float may be equal to what is another double.
    private bool IsIndexed(int value, out double number)
    {
        var isNumber = terms.TryNumber(value, out var exact);
        number = exact.AsDouble;
        return isNumber && exact.Type != NumberType.Float && !double.IsNaN(number);
    }

    // Null for what is no number: such a comparison is false for every number.
    private double? BoundOf(Trigger trigger, ComputedPart test)
    {
        var operand = test.Arguments[0] == trigger.Threshold!.Slot ? test.Objects[0] : test.Arguments[0];
        return IsIndexed(trigger.Rule.Resolve(operand), out var bound) ? bound : null;
    }

    private int FirstAtLeast(double bound)
    {
        var (low, high) = (0, _bounds.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_bounds[middle].Bound < bound)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
