using System.Diagnostics;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>
/// Makes commands that run as the server's user, in a session of their own: Ctrl-C in the terminal signals the whole foreground
/// group and would stop the server before the host has drained. The shell, setsid and setpriv each replace themselves,
/// so the process started is the program itself.
/// </summary>
/// <remarks>
/// That user may have no way to the data directory because a folder above it is closed (/root, a mktemp -d). Then the host opens
/// the folder and hands it down as file 3: /proc/self/fd/3 leads there without a look at the folders above. The working directory
/// would do as well, but PostgreSQL before 16 leaves it, and can't come back, when it looks up its own program.
/// </remarks>
internal sealed class ServerCommand
{
    private const string Handed = "/proc/self/fd/3";

    private readonly ClusterLayout _layout;
    private readonly ServerUser _user;
    private readonly bool _reachable;

    private ServerCommand(ClusterLayout layout, ServerUser user, bool reachable) =>
        (_layout, _user, _reachable) = (layout, user, reachable);

    public static async Task<ServerCommand> PrepareAsync(
        ClusterLayout layout, ServerUser user, PostgresBinaries binaries, CancellationToken cancellationToken)
    {
        var direct = new ServerCommand(layout, user, reachable: true);
        if (!user.IsOther)
            return direct;
        var (exitCode, output) = await Tool.RunAsync(direct.Make(null, "test", "-x", binaries.Postgres), "", cancellationToken);
        if (exitCode != 0)
            throw new StartupException($"User {user.Name} can't run {binaries.Postgres} (PostgreSQL does not run as root): {(output.Length > 0 ? output : "permission denied")}. Make it reachable, or run the host as an ordinary user.");
        (exitCode, _) = await Tool.RunAsync(direct.Make(null, "test", "-x", layout.Root), "", cancellationToken);
        return exitCode == 0 ? direct : new ServerCommand(layout, user, reachable: false);
    }

    /// <summary>How the server names a path under the layout's root.</summary>
    public string Seen(string path) => _reachable ? path : Handed + path[_layout.Root.Length..];

    /// <param name="log">Takes what the program says; null leaves that to the caller.</param>
    /// <param name="program">A path, or a name on the system's PATH.</param>
    /// <param name="arguments">Paths among them as <see cref="Seen"/>.</param>
    public ProcessStartInfo Make(string? log, string program, params IEnumerable<string> arguments)
    {
        var script = "log=$1; shift; exec setsid \"$@\""
            + (_reachable ? "" : " 3<\"$0\"")
            + (log is null ? "" : " </dev/null >\"$log\" 2>&1");
        return Tool.Command("/bin/sh", ["-c", script, _layout.Root, log ?? "", .. _user.Prefix, program, .. arguments]);
    }
}
