using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.PrivatePostgres;

internal static partial class PrivateServerLog
{
    [LoggerMessage(1000, LogLevel.Information, "Making a PostgreSQL {Major} cluster in {Cluster}")]
    public static partial void MakingCluster(this ILogger logger, int major, string cluster);

    [LoggerMessage(1001, LogLevel.Information, "PostgreSQL {Version} runs, pid {Pid}, port {Port} of 127.0.0.1, as user {User}")]
    public static partial void Started(this ILogger logger, string? version, int pid, int port, string user);

    [LoggerMessage(1002, LogLevel.Information, "PostgreSQL is still starting after {Seconds} s, probably recovering from a crash")]
    public static partial void StillStarting(this ILogger logger, long seconds);

    [LoggerMessage(1003, LogLevel.Error, "PostgreSQL, pid {Pid}, has ended by itself with {ExitCode}; it is started again")]
    public static partial void Died(this ILogger logger, int pid, int exitCode);

    [LoggerMessage(1004, LogLevel.Warning, "PostgreSQL did not start: {Said}")]
    public static partial void StartFailed(this ILogger logger, string said);

    [LoggerMessage(1005, LogLevel.Critical, "PostgreSQL is given up: {Reason}")]
    public static partial void GaveUp(this ILogger logger, string reason);

    [LoggerMessage(1006, LogLevel.Information, "PostgreSQL, pid {Pid}, stopped cleanly (SIGINT)")]
    public static partial void Stopped(this ILogger logger, int pid);

    [LoggerMessage(1007, LogLevel.Warning, "PostgreSQL, pid {Pid}, has not stopped {Seconds} s after SIGINT; it gets SIGQUIT and will recover at the next start")]
    public static partial void StopsSlowly(this ILogger logger, int pid, double seconds);

    [LoggerMessage(1008, LogLevel.Error, "PostgreSQL, pid {Pid}, has not stopped {Seconds} s after SIGQUIT and is left alone")]
    public static partial void DoesNotStop(this ILogger logger, int pid, double seconds);

    [LoggerMessage(1009, LogLevel.Warning, "A PostgreSQL of an earlier host, pid {Pid}, still runs on {Cluster}; it is stopped")]
    public static partial void OrphanFound(this ILogger logger, int pid, string cluster);

    [LoggerMessage(1010, LogLevel.Warning, "{Count} server processes have outlived their postmaster; they are ended")]
    public static partial void StragglersFound(this ILogger logger, int count);

    [LoggerMessage(1011, LogLevel.Information, "The pid {Pid} in postmaster.pid is stale: another program has it now")]
    public static partial void StalePid(this ILogger logger, int pid);

    [LoggerMessage(1012, LogLevel.Warning, "The rest of an interrupted initdb can't be removed: {Folder}")]
    public static partial void LeftoverStays(this ILogger logger, string folder, Exception exception);

    [LoggerMessage(1013, LogLevel.Warning, "The password of the private cluster is missing; it gets a new one")]
    public static partial void PasswordReset(this ILogger logger);
}
