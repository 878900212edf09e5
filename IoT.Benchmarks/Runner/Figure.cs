using System.Text.Json.Serialization;

namespace IoT.Benchmarks.Runner;

/// <summary>One result. A bar is on the ratio when there is a reference, otherwise on the value.</summary>
internal sealed record Figure(
    string Bench,
    string Case,
    double Value,
    string Unit,
    string? Reference,
    double? ReferenceValue,
    double? Ratio,
    double? Bar,
    bool Holds)
{
    [JsonIgnore]
    public bool IsUpperBar { get; private init; }

    /// <summary>Only to know: no bar.</summary>
    public static Figure Told(string bench, string name, double value, string unit) => new(bench, name, value, unit, null, null, null, null, true);

    /// <summary>Only to know, beside its reference.</summary>
    public static Figure Told(string bench, string name, double value, string unit, string reference, double referenceValue) =>
        new(bench, name, value, unit, reference, referenceValue, value / referenceValue, null, true);

    /// <summary>At least so many times the reference.</summary>
    public static Figure AtLeast(string bench, string name, double value, string unit, string reference, double referenceValue, double bar) =>
        new(bench, name, value, unit, reference, referenceValue, value / referenceValue, bar, value / referenceValue >= bar);

    /// <summary>At most so many times the reference.</summary>
    public static Figure AtMost(string bench, string name, double value, string unit, string reference, double referenceValue, double bar) =>
        new(bench, name, value, unit, reference, referenceValue, value / referenceValue, bar, value / referenceValue <= bar) { IsUpperBar = true };

    /// <summary>Below the bar, in the unit of the value.</summary>
    public static Figure Below(string bench, string name, double value, string unit, double bar) =>
        new(bench, name, value, unit, null, null, null, bar, value < bar) { IsUpperBar = true };
}
