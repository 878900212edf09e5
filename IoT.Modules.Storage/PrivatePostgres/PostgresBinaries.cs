using System.ComponentModel;
using System.Globalization;
using System.Text.RegularExpressions;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>A folder that holds PostgreSQL's server programs, and their major version.</summary>
internal sealed partial record PostgresBinaries(string Folder, int Major)
{
    public string Postgres => Path.Combine(Folder, "postgres");

    public string InitDb => Path.Combine(Folder, "initdb");

    /// <summary>
    /// Looks in the setting, or on PATH and then among the distribution's versions, the highest first. With a cluster there already,
    /// a folder of its version is taken before a better placed one of another: a system upgrade leaves both behind.
    /// </summary>
    /// <param name="setting">The only folder to look in; null searches.</param>
    /// <param name="wanted">Major version of the cluster there is.</param>
    /// <param name="path">As in the environment variable.</param>
    /// <param name="distribution">Where folders like <c>15/bin</c> are.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="StartupException">None found.</exception>
    public static async Task<PostgresBinaries> FindAsync(
        string? setting, int? wanted, string? path, string distribution, CancellationToken cancellationToken)
    {
        var explicitly = !string.IsNullOrWhiteSpace(setting);
        PostgresBinaries? first = null, tooOld = null;
        foreach (var folder in explicitly ? [setting!] : Candidates(path, distribution))
        {
            if (Resolve(folder) is not { } real || await MajorOfAsync(real, cancellationToken) is not { } major)
                continue;
            var found = new PostgresBinaries(real, major);
            if (major < ServerVersion.Oldest)
            {
                tooOld ??= found;
                continue;
            }
            if (wanted is null || major == wanted)
                return found;
            first ??= found;
        }

        if (first is null && tooOld is not null)
            throw new StartupException(FormattableString.Invariant($"PostgreSQL in {tooOld.Folder} is {tooOld.Major}; {ServerVersion.Oldest} or later is needed. Install one, or name the folder of its programs in Storage__PostgresBinaries, or a server in ConnectionStrings__Postgres."));
        return first ?? throw new StartupException(explicitly
            ? $"Storage__PostgresBinaries is {setting}, which does not hold PostgreSQL's programs postgres and initdb. Leave it empty to search, or name the folder that holds them (like /usr/lib/postgresql/15/bin)."
            : "PostgreSQL's server programs are missing. Install them with: sudo apt-get install postgresql (./run does it for you). "
              + "Or name their folder in Storage__PostgresBinaries, or a server in ConnectionStrings__Postgres.");
    }

    private static IEnumerable<string> Candidates(string? path, string distribution)
    {
        foreach (var folder in (path ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
        if (!Directory.Exists(distribution))
            yield break;
        var versions = Directory.EnumerateDirectories(distribution)
            .Select(folder => (folder, version: double.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var v) ? v : 0))
            .OrderByDescending(candidate => candidate.version);
        foreach (var (folder, _) in versions)
            yield return Path.Combine(folder, "bin");
    }

    /// <summary>The folder itself, or the one its <c>postgres</c> links to, which has the rest of the programs beside it.</summary>
    private static string? Resolve(string folder)
    {
        var postgres = Path.Combine(Path.GetFullPath(folder), "postgres");
        if (!File.Exists(postgres))
            return null;
        var real = Path.GetDirectoryName(Posix.RealPath(postgres))!;
        if (File.Exists(Path.Combine(real, "postgres")) && File.Exists(Path.Combine(real, "initdb")))
            return real;
        return File.Exists(Path.Combine(folder, "initdb")) ? Path.GetFullPath(folder) : null;
    }

    private static async Task<int?> MajorOfAsync(string folder, CancellationToken cancellationToken)
    {
        try
        {
            var (_, output) = await Tool.RunAsync(Tool.Command(Path.Combine(folder, "postgres"), "--version"), "", cancellationToken);
            var match = Version().Match(output);
            return match.Success ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null;
        }
        catch (Win32Exception)
        {
            return null; // Not a program for this machine, or not ours to run.
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)")]
    private static partial Regex Version();
}
