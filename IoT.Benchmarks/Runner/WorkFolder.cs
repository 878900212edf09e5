namespace IoT.Benchmarks.Runner;

/// <summary>A temporary folder for hosts and servers, gone afterwards unless it is to be kept.</summary>
internal sealed class WorkFolder : IDisposable
{
    private readonly bool _keep;

    public WorkFolder(bool keep)
    {
        _keep = keep;
        Path = Directory.CreateTempSubdirectory("iot-bench-").FullName;
        // The server's unprivileged user must get through.
        File.SetUnixFileMode(Path, (UnixFileMode)0b111_001_001);
    }

    public string Path { get; }

    /// <summary>Copies a log to where it outlives the folder; answers where that is.</summary>
    public async Task<string> KeepAsync(string name)
    {
        var kept = System.IO.Path.Combine(Directory.CreateDirectory("artifacts/bench").FullName, name);
        await using var source = new FileStream(System.IO.Path.Combine(Path, name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        await using var target = File.Create(kept);
        await source.CopyToAsync(target);
        return $"see {kept}";
    }

    public void Dispose()
    {
        if (_keep)
            Console.WriteLine($"kept: {Path}");
        else
            Directory.Delete(Path, recursive: true);
    }
}
