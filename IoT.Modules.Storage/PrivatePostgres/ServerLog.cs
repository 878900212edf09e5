using System.Text;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>What the server said last: first to startup.log, later to the files of its log collector.</summary>
internal static class ServerLog
{
    private const int TailBytes = 4096;
    private const int TailLines = 12;

    // A later attempt may find these gone: a port taken by another program, and processes of a killed server that still end.
    private static readonly string[] Passing =
    [
        "could not create any TCP/IP sockets", "pre-existing shared memory block", "lock file \"postmaster.pid\" already exists",
    ];

    public static bool MayPass(string said) => Passing.Any(text => said.Contains(text, StringComparison.Ordinal));

    public static string Tail(ClusterLayout layout, DateTimeOffset since)
    {
        var said = new List<string>();
        if (File.Exists(layout.StartupLog))
            said.AddRange(Lines(layout.StartupLog));
        if (Directory.Exists(layout.Log))
        {
            var newest = new DirectoryInfo(layout.Log).EnumerateFiles("postgres-*.log")
                .Where(file => file.LinkTarget is null && file.LastWriteTimeUtc >= since.UtcDateTime)
                .MaxBy(file => file.LastWriteTimeUtc);
            if (newest is not null)
                said.AddRange(Lines(newest.FullName));
        }

        return said.Count == 0 ? "it said nothing" : string.Join('\n', said);
    }

    private static string[] Lines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Seek(-Math.Min(TailBytes, file.Length), SeekOrigin.End);
        using var reader = new StreamReader(file, Encoding.UTF8);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(TailLines).ToArray();
    }
}
