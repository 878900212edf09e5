using System.Globalization;
using System.Text.Json;

namespace IoT.Benchmarks.Runner;

/// <summary>The table on stdout and artifacts/bench/NAME.json.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static async Task WriteAsync(string name, IReadOnlyList<Figure> figures)
    {
        var folder = Directory.CreateDirectory(Path.Combine("artifacts", "bench"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, $"{name}.json"), JsonSerializer.Serialize(figures, Format) + "\n");
        List<string[]> rows = [["case", "value", "", "reference", "", "ratio", "bar", ""]];
        rows.AddRange(figures.Select(figure => new[]
        {
            figure.Case,
            Number(figure.Value),
            figure.Unit,
            figure.ReferenceValue is { } reference ? Number(reference) : "",
            figure.Reference ?? "",
            figure.Ratio is { } ratio ? Number(ratio) : "",
            figure.Bar is { } bar ? $"{(!figure.IsUpperBar ? ">=" : figure.Ratio is null ? "<" : "<=")} {Number(bar)}{(figure.Ratio is null ? $" {figure.Unit}" : "")}" : "",
            figure.Bar is null ? "" : figure.Holds ? "holds" : "DOES NOT HOLD",
        }));
        bool[] isNumber = [false, true, false, true, false, true, false, false];
        var widths = Enumerable.Range(0, isNumber.Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        Console.WriteLine();
        foreach (var row in rows)
            Console.WriteLine(string.Join("  ", row.Select((cell, column) => isNumber[column] ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd());
        Console.WriteLine();
    }

    private static string Number(double value) => value.ToString(
        Math.Abs(value) switch { >= 1_000 => "#,##0", >= 100 => "0", >= 10 => "0.0", _ => "0.00" },
        CultureInfo.InvariantCulture);
}
