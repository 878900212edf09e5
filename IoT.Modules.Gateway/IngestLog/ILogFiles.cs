namespace IoT.Modules.Gateway.IngestLog;

/// <summary>The log's directory. A seam: tests put a disk in its place that loses what was not synced.</summary>
internal interface ILogFiles : IDisposable
{
    IReadOnlyList<string> List();

    /// <summary>Makes a file of zeros in blocks that are allocated and written, so that writing into it later takes no space.</summary>
    /// <exception cref="IOException">See <see cref="LogErrors.IsOutOfSpace"/>.</exception>
    ILogFile Create(string name, long bytes);

    ILogFile Open(string name);

    void Rename(string from, string to);

    void Delete(string name);

    /// <summary>Makes creations, renames and deletions durable.</summary>
    void SyncDirectory();
}

internal interface ILogFile : IDisposable
{
    long Length { get; }

    /// <summary>Reads until the span is full or the file ends.</summary>
    int Read(Span<byte> target, long offset);

    void Write(ReadOnlySpan<byte> source, long offset);

    /// <summary>fdatasync.</summary>
    void SyncData();

    /// <summary>fsync.</summary>
    void Sync();
}

internal static class LogErrors
{
    private const int NoSpace = 28, OverQuota = 122;

    /// <summary>The raw errno is what .NET puts into an IOException that has no better type.</summary>
    public static bool IsOutOfSpace(IOException e) => e.HResult is NoSpace or OverQuota;
}
