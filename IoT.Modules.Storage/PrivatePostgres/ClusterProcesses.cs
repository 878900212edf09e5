using System.Globalization;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>Finds and ends what earlier servers left running on our cluster. The data directory's lock says that no other host needs it.</summary>
internal sealed class ClusterProcesses(ClusterLayout layout, ServerCommand command, ILogger logger, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    // kill(2) knows no such process: pids end at 4,194,304.
    private const string NoPid = "2147483647";

    /// <exception cref="StartupException">A server does not end.</exception>
    public async Task ClearAsync(CancellationToken cancellationToken)
    {
        await EndOrphanAsync(cancellationToken);
        await EndStragglersAsync(cancellationToken);
    }

    /// <summary>
    /// Waits until no server process is left: the log collector outlives its postmaster by a moment, in which it writes down what was said last.
    /// </summary>
    public Task<bool> GoneAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        WithinAsync(patience, async () => (await RunningAsync(cancellationToken)).Count == 0, cancellationToken);

    private async Task EndOrphanAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(layout.PidFile))
            return;
        if (PidIn(layout.PidFile) is not { } pid)
        {
            File.Delete(layout.PidFile); // Cut short by a crash: PostgreSQL would refuse it, and it says nothing.
            return;
        }

        if (!Posix.IsAlive(pid))
            return;
        if (!await RunsHereAsync(pid, cancellationToken))
        {
            // PostgreSQL takes any living process of its user for a server. Only the pid goes: the rest of the file names
            // the shared memory by which it finds out whether backends of the old server live.
            logger.StalePid(pid);
            await Tool.RunAsync(command.Make(null, "sed", "-i", $"1s/.*/{NoPid}/", command.Seen(layout.PidFile)), "", cancellationToken);
            return;
        }

        logger.OrphanFound(pid, layout.Cluster);
        Posix.Signal(pid, Posix.SigInt);
        if (await WithinAsync(Patience, () => Task.FromResult(!Posix.IsAlive(pid)), cancellationToken))
            return;
        logger.StopsSlowly(pid, Patience.TotalSeconds);
        Posix.Signal(pid, Posix.SigQuit);
        if (!await WithinAsync(Patience, () => Task.FromResult(!Posix.IsAlive(pid)), cancellationToken))
            throw new StartupException($"A PostgreSQL of an earlier host (pid {pid}) runs on {layout.Cluster} and does not stop. End it with: sudo kill -QUIT {pid}");
    }

    /// <summary>
    /// Backends whose postmaster was killed end by themselves, but only once they next wait for something; till then their shared memory
    /// keeps a new server from starting. There is nothing to save in them: the server recovers from its log.
    /// </summary>
    private async Task EndStragglersAsync(CancellationToken cancellationToken)
    {
        if (await GoneAsync(Grace, cancellationToken))
            return;
        var stragglers = await RunningAsync(cancellationToken);
        logger.StragglersFound(stragglers.Count);
        foreach (var pid in stragglers)
            Posix.Signal(pid, Posix.SigQuit);
        await GoneAsync(Patience, cancellationToken); // If not, PostgreSQL says so when it starts.
    }

    private async Task<IReadOnlyList<int>> RunningAsync(CancellationToken cancellationToken)
    {
        var running = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) && await RunsHereAsync(pid, cancellationToken) && Posix.IsAlive(pid))
                running.Add(pid);
        }

        return running;
    }

    /// <summary>Whether it is a PostgreSQL server process with our cluster as its working directory, as all of them have.</summary>
    private async Task<bool> RunsHereAsync(int pid, CancellationToken cancellationToken)
    {
        try
        {
            if ((await File.ReadAllTextAsync($"/proc/{pid}/comm", cancellationToken)).Trim() is not ("postgres" or "postmaster"))
                return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // Gone, or another user's under hidepid.
        }

        if (new FileInfo($"/proc/{pid}/cwd").LinkTarget is { } directory)
            return directory == layout.Cluster;
        // Root in a container may lack CAP_SYS_PTRACE, and then only the user itself can see it.
        var (_, output) = await Tool.RunAsync(command.Make(null, "readlink", $"/proc/{pid}/cwd"), "", cancellationToken);
        return output == layout.Cluster;
    }

    private async Task<bool> WithinAsync(TimeSpan patience, Func<Task<bool>> condition, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        while (!await condition())
        {
            if (clock.GetElapsedTime(start) > patience)
                return false;
            await Task.Delay(PollInterval, clock, cancellationToken);
        }

        return true;
    }

    private static int? PidIn(string file)
    {
        // A single-user server writes its pid negative.
        var first = File.ReadLines(file).FirstOrDefault();
        return int.TryParse(first, CultureInfo.InvariantCulture, out var pid) && pid is not (0 or int.MinValue) ? Math.Abs(pid) : null;
    }
}
