namespace IoT.Tests.Support;

/// <summary>Where things are in the working copy that these tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot(AppContext.BaseDirectory);

    /// <summary>The host as <c>./run</c> publishes it.</summary>
    public static string HostAssembly => Path.Combine(Root, "artifacts", "host", "IoT.Host.dll");

    /// <summary>What a test leaves for people to look at: logs, screenshots.</summary>
    public static string Output(params string[] parts)
    {
        var path = Path.Combine([Root, "artifacts", "test", .. parts]);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    private static string FindRoot(string folder) =>
        File.Exists(Path.Combine(folder, "IoT.sln")) ? folder
        : Path.GetDirectoryName(folder) is { } parent ? FindRoot(parent)
        : throw new InvalidOperationException("IoT.sln is in no folder above the tests.");
}
