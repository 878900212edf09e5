using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Backup;

/// <summary>What a backup says of itself. It is the last entry: a file without it is not whole.</summary>
/// <param name="Format">1.</param>
/// <param name="Sha256">By entry.</param>
internal sealed record BackupManifest(int Format, DateTime MadeAt, string Product, IReadOnlyList<string> Migrations, IReadOnlyDictionary<string, string> Sha256);

/// <summary>One file: a compressed tar and its manifest.</summary>
internal static class BackupFile
{
    public const int Format = 1;
    private const string ManifestName = "manifest.json";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <param name="folders">What is in them becomes the backup's content, under the same names.</param>
    public static async Task WriteAsync(IEnumerable<string> folders, string temporary, string file, DateTime madeAt, IReadOnlyList<string> migrations, CancellationToken cancellationToken)
    {
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        var streamOptions = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = Private };
        await using (var output = new FileStream(temporary, streamOptions))
        {
            await using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
            await using (var tar = new TarWriter(gzip, TarEntryFormat.Pax, leaveOpen: true))
            {
                foreach (var (folder, path) in folders.SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(path => (folder, path))))
                {
                    var name = Path.GetRelativePath(folder, path);
                    hashes[name] = await HashAsync(path, cancellationToken);
                    await tar.WriteEntryAsync(path, name, cancellationToken);
                }
                var manifest = JsonSerializer.SerializeToUtf8Bytes(new BackupManifest(Format, madeAt, "IoT platform", migrations, hashes), Json.Options);
                await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, ManifestName) { DataStream = new MemoryStream(manifest) }, cancellationToken);
            }
            output.Flush(flushToDisk: true);
        }
        File.Move(temporary, file, overwrite: false);
    }

    /// <summary>Unpacks it and checks every byte.</summary>
    /// <exception cref="StartupException">It is none of ours, damaged, or of a newer version.</exception>
    public static async Task<BackupManifest> ReadAsync(string file, string folder, CancellationToken cancellationToken)
    {
        try
        {
            await using (var input = File.OpenRead(file))
            await using (var gzip = new GZipStream(input, CompressionMode.Decompress))
                await TarFile.ExtractToDirectoryAsync(gzip, folder, overwriteFiles: false, cancellationToken);
            var path = Path.Combine(folder, ManifestName);
            var manifest = File.Exists(path) ? JsonSerializer.Deserialize<BackupManifest>(await File.ReadAllBytesAsync(path, cancellationToken), Json.Options) : null;
            if (manifest is null)
                throw new StartupException($"{file} is no whole backup: it has no manifest.");
            if (manifest.Format > Format)
                throw new StartupException($"{file} has format {manifest.Format}; this host knows {Format}. Restore it with the host that made it, or a newer one.");
            foreach (var (name, hash) in manifest.Sha256)
            {
                if (!File.Exists(Path.Combine(folder, name)) || await HashAsync(Path.Combine(folder, name), cancellationToken) != hash)
                    throw new StartupException($"{file} is damaged: {name} is not what was written.");
            }
            return manifest;
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or JsonException or FormatException or FileNotFoundException)
        {
            throw new StartupException($"{file} can't be read as a backup: {exception.Message}", exception);
        }
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
    }
}
