namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>
/// Where things are under the data directory. The folder itself and the files in it belong to the host's user; what the server writes
/// (<see cref="Cluster"/>, <see cref="Log"/>, <see cref="Run"/>) belongs to the server's, who therefore can't lay a link
/// where a host that runs as root writes.
/// </summary>
internal sealed class ClusterLayout(string dataDirectory)
{
    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public string Root { get; } = Path.Combine(dataDirectory, "postgres");

    public string Cluster => Path.Combine(Root, "cluster");

    public string Log => Path.Combine(Root, "log");

    public string Run => Path.Combine(Root, "run");

    /// <summary>Where initdb works until the cluster is whole.</summary>
    public string Unfinished => Path.Combine(Root, UnfinishedPrefix + Path.GetRandomFileName());

    public string Settings => Path.Combine(Root, "iot.conf");

    public string Password => Path.Combine(Root, "password");

    public string Connection => Path.Combine(Root, "connection");

    public string StartupLog => Path.Combine(Root, "startup.log");

    public string PidFile => Path.Combine(Cluster, "postmaster.pid");

    /// <summary>What the cluster says about the version that made it; null when there is no cluster.</summary>
    public string? ClusterVersion
    {
        get
        {
            var file = Path.Combine(Cluster, "PG_VERSION");
            return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
        }
    }

    private const string UnfinishedPrefix = "cluster.new-";

    public IEnumerable<string> UnfinishedClusters() => Directory.EnumerateDirectories(Root, UnfinishedPrefix + "*");

    /// <summary>Replaces a file of <see cref="Root"/> whole or not at all.</summary>
    public void Replace(string path, string content, UnixFileMode mode = PrivateFile, ServerUser? owner = null)
    {
        var temporary = Path.Combine(Root, Path.GetRandomFileName());
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = PrivateFile }))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(content));
            file.Flush(flushToDisk: true);
        }

        File.SetUnixFileMode(temporary, mode);
        owner?.TakeOver(temporary);
        File.Move(temporary, path, overwrite: true);
        Posix.SyncDirectory(Root);
    }
}
