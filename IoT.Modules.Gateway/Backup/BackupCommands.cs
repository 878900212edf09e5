using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Storage.Contracts;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;

namespace IoT.Modules.Gateway.Backup;

/// <summary>
/// A backup of everything, in one file, while the host runs or not; and restoring it into an empty system. What was acknowledged before
/// the backup began is in it: stored, in the quarantine, or in its part of the ingest log, from which the restored host stores it.
/// </summary>
internal static class BackupCommands
{
    private const string Work = "backup-work";
    private const string Dump = "database.dump";
    private const string Log = "ingest";
    private const string Broker = "mqtt";
    private const string Keys = "keys";

    // Whom it lets in may have been taken out since.
    private const string Mirror = "credentials";

    public static async Task<int> BackupAsync(IConfiguration configuration, string file, TextWriter output, CancellationToken cancellationToken)
    {
        if (File.Exists(file))
            throw new StartupException($"{file} is there already; name another file.");
        if (!Directory.Exists(Path.GetDirectoryName(file)))
            throw new StartupException($"There is no directory {Path.GetDirectoryName(file)}.");
        var data = DirectoryOf(configuration);
        await using var database = await DatabaseBackup.OpenAsync(configuration, cancellationToken)
            ?? throw new StartupException($"There is no database under {data} yet.");
        using var alone = TakeTurn(data);
        // The log's part on the log's file system, so that its segments can have a second name there; the database's, which is large, where the file will be.
        var (state, dump) = (NewFolder(Path.Combine(data, Work)), NewFolder(file + ".unfinished"));
        try
        {
            var madeAt = TimeProvider.System.GetUtcNow().UtcDateTime;
            var log = Directory.Exists(Path.Combine(data, Log)) ? new LogCopy(Path.Combine(data, Log), Path.Combine(state, Log)) : null;
            // The log begins before the moment at which the database is dumped, and ends after it: whatever was acknowledged is in one of the two at least.
            log?.Hold();
            await database.HoldMomentAsync(cancellationToken);
            CopyBroker(Path.Combine(data, Broker, BrokerState.FileName), Path.Combine(state, Broker));
            log?.Finish();
            CopyKeys(Path.Combine(data, Keys), Path.Combine(state, Keys));
            await database.DumpAsync(Path.Combine(dump, Dump), cancellationToken);
            await BackupFile.WriteAsync([state, dump], file + ".part", file, madeAt, database.Migrations, cancellationToken);
        }
        finally
        {
            foreach (var folder in new[] { state, dump })
                Directory.Delete(folder, recursive: true);
            File.Delete(file + ".part");
        }
        await output.WriteLineAsync(FormattableString.Invariant($"{file}: {(new FileInfo(file).Length + 1023) / 1024} KiB, with everything that was acknowledged before it began. It holds secrets: keep it as safe as the database."));
        return 0;
    }

    public static async Task<int> RestoreAsync(IConfiguration configuration, string file, TextWriter output, CancellationToken cancellationToken)
    {
        if (!File.Exists(file))
            throw new StartupException($"There is no file {file}.");
        var data = DirectoryOf(configuration);
        if (Directory.Exists(Path.Combine(data, Log)) && Directory.EnumerateFiles(Path.Combine(data, Log)).Any(path => SegmentHeader.TryParseName(Path.GetFileName(path), out _)))
            throw new StartupException($"There is an ingest log in {Path.Combine(data, Log)}. It may hold readings that are nowhere else: start the host once with its own database and stop it, so that they are stored. Then move {data} away, and restore into an empty directory.");
        if (Directory.Exists(Path.Combine(data, Broker)) && Directory.EnumerateFileSystemEntries(Path.Combine(data, Broker)).Any())
            throw new StartupException($"There are sessions of the broker in {Path.Combine(data, Broker)}. Move {data} away, and restore into an empty directory.");
        await using var database = await DatabaseBackup.OpenEmptyAsync(configuration, cancellationToken);
        var work = NewFolder(Path.Combine(data, Work));
        BackupManifest manifest;
        try
        {
            manifest = await BackupFile.ReadAsync(file, work, cancellationToken);
            DatabaseBackup.ThrowIfNewer(manifest.Migrations);
            // From here to the end a start would find half of it.
            UnfinishedRestore.Begin(data, file);
            LogSystemCalls.SyncDirectory(data);
            await database.RestoreAsync(Path.Combine(work, Dump), cancellationToken);
            foreach (var folder in new[] { Log, Broker, Keys })
                Place(Path.Combine(work, folder), Path.Combine(data, folder));
            LogSystemCalls.SyncDirectory(data);
            UnfinishedRestore.End(data);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
        await output.WriteLineAsync(FormattableString.Invariant($"{file} of {manifest.MadeAt:yyyy-MM-dd'T'HH:mm:ss'Z'} is restored. Start the host: it stores what the backup's ingest log holds, and brings the schema up to date."));
        return 0;
    }

    private static string DirectoryOf(IConfiguration configuration) =>
        Path.GetFullPath((configuration.GetSection(DataOptions.Section).Get<DataOptions>() ?? new()).Directory);

    /// <summary>Two at once would use one folder.</summary>
    private static FileStream TakeTurn(string data)
    {
        try
        {
            return new FileStream(Path.Combine(data, "backup.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new StartupException($"Another backup of {data} runs, or its lock can't be taken: {exception.Message}", exception);
        }
    }

    /// <summary>Empty: what one that was killed has left goes.</summary>
    private static string NewFolder(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
        return Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
    }

    private static void CopyBroker(string from, string to)
    {
        if (!File.Exists(from))
            return;
        Directory.CreateDirectory(to);
        try
        {
            StateDatabase.Copy(from, Path.Combine(to, BrokerState.FileName));
        }
        catch (SqliteException exception)
        {
            throw new StartupException($"The broker's state in {from} can't be copied: {exception.Message}", exception);
        }
    }

    private static void CopyKeys(string from, string to)
    {
        if (!Directory.Exists(from))
            return;
        Directory.CreateDirectory(to);
        foreach (var path in Directory.EnumerateFiles(from).Where(path => Path.GetFileName(path) != Mirror))
            File.Copy(path, Path.Combine(to, Path.GetFileName(path)));
    }

    private static void Place(string from, string to)
    {
        if (!Directory.Exists(from))
            return;
        Directory.CreateDirectory(to, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var path in Directory.EnumerateFiles(from))
        {
            var target = Path.Combine(to, Path.GetFileName(path));
            File.Move(path, target, overwrite: true);
            File.SetUnixFileMode(target, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            using var written = File.OpenHandle(target, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(written);
        }
        LogSystemCalls.SyncDirectory(to);
    }
}
