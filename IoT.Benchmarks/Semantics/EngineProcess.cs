using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;

namespace IoT.Benchmarks.Semantics;

/// <summary>Our engine in a process of its own, like its peers: reads facts and rules from files, derives everything, says how long it took.</summary>
internal static class EngineProcess
{
    public const string Role = "semantic-engine";

    public static int Serve(string[] arguments)
    {
        var (folder, threads, rounds) = (arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture), int.Parse(arguments[2], CultureInfo.InvariantCulture));
        var (read, derived, count) = (double.MaxValue, double.MaxValue, 0L);
        for (var round = 0; round < rounds; round++)
        {
            var knowledge = new KnowledgeBase(new EngineOptions { Threads = threads });
            var started = Stopwatch.GetTimestamp();
            var rules = RuleParser.Parse("rules", File.ReadAllBytes(Path.Combine(folder, "rules.n3")), null, out var wrongRules);
            using var file = File.OpenRead(Path.Combine(folder, "facts.ttl"));
            var facts = FactDocument.Parse(knowledge.Terms, "facts", file, null, out var wrong, CancellationToken.None);
            read = Math.Min(read, Stopwatch.GetElapsedTime(started).TotalSeconds);
            if (rules is null || facts is null)
                throw new InvalidOperationException($"{wrongRules}{wrong}");
            started = Stopwatch.GetTimestamp();
            using var commit = knowledge.Load([facts], [rules]);
            derived = Math.Min(derived, Stopwatch.GetElapsedTime(started).TotalSeconds);
            if (commit.Error is { } error)
                throw new InvalidOperationException(error.Message);
            count = knowledge.Derived;
        }
        var peak = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        Console.WriteLine(JsonSerializer.Serialize(new EngineResult(
            read, derived, count, double.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024)));
        return 0;
    }

    public static async Task<(EngineResult Result, double WholeSeconds)> RunAsync(string folder, int threads, int rounds, CancellationToken cancellationToken)
    {
        var (output, seconds) = await Peers.RunAsync(
            Environment.ProcessPath!,
            [typeof(EngineProcess).Assembly.Location, Role, folder, threads.ToString(CultureInfo.InvariantCulture), rounds.ToString(CultureInfo.InvariantCulture)],
            cancellationToken);
        return (JsonSerializer.Deserialize<EngineResult>(output)!, seconds);
    }
}

/// <param name="ReadSeconds">Reading facts and rules; the best round.</param>
/// <param name="DeriveSeconds">Everything from the facts in memory on; the best round.</param>
/// <param name="PeakMiB">Resident memory of the process at its highest.</param>
internal sealed record EngineResult(double ReadSeconds, double DeriveSeconds, long Derived, double PeakMiB);
