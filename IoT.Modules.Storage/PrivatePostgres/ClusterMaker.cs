using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>Makes the cluster when there is none, and knows its password.</summary>
internal sealed class ClusterMaker(ClusterLayout layout, PostgresBinaries binaries, ServerUser user, ServerCommand command, ILogger logger)
{
    public const string Role = "iot";

    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    /// <summary>The major version of the cluster there is; null without one.</summary>
    public static int? MajorOf(string? clusterVersion) =>
        int.TryParse(clusterVersion?.Split('.')[0], CultureInfo.InvariantCulture, out var major) ? major : null;

    /// <summary>initdb works beside the cluster's place, which its result takes when it is whole.</summary>
    /// <exception cref="StartupException">initdb failed, or the cluster is of another major version.</exception>
    public async Task MakeAsync(CancellationToken cancellationToken)
    {
        foreach (var leftover in layout.UnfinishedClusters())
            Remove(leftover);
        if (layout.ClusterVersion is { } version)
        {
            RequireSameMajor(version);
            return;
        }

        if (Directory.Exists(layout.Cluster) && Directory.EnumerateFileSystemEntries(layout.Cluster).Any())
            throw new StartupException($"{layout.Cluster} is not empty and not a PostgreSQL cluster. Move it away to start with an empty database, or put the cluster back.");

        logger.MakingCluster(binaries.Major, layout.Cluster);
        NewPassword();
        var unfinished = layout.Unfinished;
        user.OwnDirectory(unfinished);
        var initdb = command.Make(
            null, binaries.InitDb,
            "-D", command.Seen(unfinished), "--username", Role, "--pwfile", command.Seen(layout.Password), "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions");
        var (exitCode, output) = await Tool.RunAsync(initdb, "", cancellationToken);
        if (exitCode != 0)
        {
            Remove(unfinished);
            throw new StartupException($"PostgreSQL's initdb failed in {layout.Root} ({exitCode}): {output}");
        }

        if (Directory.Exists(layout.Cluster))
            Directory.Delete(layout.Cluster);
        Directory.Move(unfinished, layout.Cluster);
        Posix.SyncDirectory(layout.Root);
    }

    /// <summary>The password; a new one, set in the cluster without a server, when its file is lost.</summary>
    public async Task<string> PasswordAsync(CancellationToken cancellationToken)
    {
        var password = File.Exists(layout.Password) ? (await File.ReadAllTextAsync(layout.Password, cancellationToken)).Trim() : "";
        if (password.Length == 64 && !password.AsSpan().ContainsAnyExcept(Hex))
            return password;

        logger.PasswordReset();
        password = NewPassword();
        var single = command.Make(
            null, binaries.Postgres, "--single", "-D", command.Seen(layout.Cluster), "-c", $"config_file={command.Seen(layout.Settings)}", "postgres");
        var (exitCode, output) = await Tool.RunAsync(single, $"ALTER ROLE {Role} PASSWORD '{password}'\n", cancellationToken);
        if (exitCode == 0)
            return password;
        File.Delete(layout.Password);
        throw new StartupException($"The password of the private PostgreSQL is lost, and a new one could not be set: {output}");
    }

    private string NewPassword()
    {
        var password = RandomNumberGenerator.GetHexString(64, lowercase: true);
        // The server's user must be able to read it for initdb, and may: it can do anything with the cluster anyway.
        layout.Replace(layout.Password, password + "\n", owner: user);
        return password;
    }

    private void RequireSameMajor(string version)
    {
        if (MajorOf(version) == binaries.Major)
            return;
        throw new StartupException(
            $"The database in {layout.Cluster} was made by PostgreSQL {version}, and the programs in {binaries.Folder} are version {binaries.Major}. "
            + $"Install version {version} (sudo apt-get install postgresql-{version}) and set Storage__PostgresBinaries=/usr/lib/postgresql/{version}/bin, "
            + $"or convert the database with pg_upgrade.");
    }

    private void Remove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException e)
        {
            logger.LeftoverStays(folder, e); // An initdb that outlived its host may still write there; the next start tries again.
        }
    }
}
