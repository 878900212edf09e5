using System.Diagnostics;
using System.Globalization;

namespace IoT.Benchmarks.Semantics;

/// <summary>gringo and CLIPS as Debian packages them.</summary>
internal static class Peers
{
    /// <summary>Some hundred times what the slowest of them takes here.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(3);

    public static bool HasGringo { get; } = IsInstalled("gringo");

    public static bool HasClips { get; } = IsInstalled("clips");

    /// <summary>Grounds the program, which derives everything; seconds of the whole process, and how many facts it derived.</summary>
    public static async Task<(double Seconds, long Derived)> GroundAsync(string folder, int asserted, bool counts, CancellationToken cancellationToken)
    {
        string[] files = [Path.Combine(folder, "facts.lp"), Path.Combine(folder, "rules.lp")];
        if (!counts)
            return ((await RunAsync("gringo", [.. files, "--output=smodels"], cancellationToken, keepsOutput: false)).Seconds, 0);
        var (output, seconds) = await RunAsync("gringo", ["--text", .. files], cancellationToken);
        return (seconds, output.Split('\n').LongCount(line => line.StartsWith("t(", StringComparison.Ordinal)) - asserted);
    }

    /// <summary>Replaces readings one at a time, each with everything that follows from it; readings a second, and the facts there are at the end.</summary>
    public static async Task<(double Rate, long Facts)> ReplaceAsync(string folder, int updates, CancellationToken cancellationToken)
    {
        var script = Path.Combine(folder, "run.clp");
        await File.WriteAllTextAsync(
            script,
            $"""
            (unwatch all)
            (load* "{folder}/rules.clp")
            (load-facts "{folder}/facts.clp")
            (run)
            (deffunction replace-all ()
              (open "{folder}/updates.txt" updates "r")
              (bind ?started (time))
              (bind ?device (read updates))
              (bind ?n 0)
              (while (and (neq ?device EOF) (< ?n {updates.ToString(CultureInfo.InvariantCulture)})) do
                (assert (update ?device (read updates)))
                (run)
                (bind ?n (+ ?n 1))
                (bind ?device (read updates)))
              (bind ?took (- (time) ?started))
              (close updates)
              (printout t crlf "RESULT " ?n " " ?took " " (length$ (get-fact-list)) crlf))
            (replace-all)
            (exit)

            """,
            cancellationToken);
        // Without the end of its line the last command is no command, and CLIPS reads on at the end of its input for ever.
        var (output, _) = await RunAsync("clips", ["-f2", script], cancellationToken);
        var parts = output.Split('\n').First(line => line.StartsWith("RESULT ", StringComparison.Ordinal)).Split(' ');
        return (double.Parse(parts[1], CultureInfo.InvariantCulture) / double.Parse(parts[2], CultureInfo.InvariantCulture), long.Parse(parts[3], CultureInfo.InvariantCulture));
    }

    /// <summary>What a peer comes to; null, and a line that says so, when it doesn't come to its end in time: figures stand without it then.</summary>
    public static async Task<T?> TryAsync<T>(Task<T> peer)
        where T : struct
    {
        try
        {
            return await peer;
        }
        catch (TimeoutException exception)
        {
            await Console.Error.WriteLineAsync($"bench: {exception.Message}, so figures stand without it as a reference");
            return null;
        }
    }

    public static async Task<(string Output, double Seconds)> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken, bool keepsOutput = true)
    {
        using var enough = new CancellationTokenSource(Longest, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, enough.Token);
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        try
        {
            var output = "";
            if (keepsOutput)
                output = await process.StandardOutput.ReadToEndAsync(either.Token);
            else
                await process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, either.Token);
            await process.WaitForExitAsync(either.Token);
            return process.ExitCode is 0 or 10 or 20 or 30
                ? (output, Stopwatch.GetElapsedTime(started).TotalSeconds)
                : throw new InvalidOperationException($"{program} ended with exit code {process.ExitCode}");
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{program} did not end within {Longest.TotalSeconds} s");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private static bool IsInstalled(string program)
    {
        if ((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program))))
            return true;
        Console.Error.WriteLine($"bench: {program} is missing, so figures stand without it as a reference: sudo apt-get install {program}");
        return false;
    }
}
