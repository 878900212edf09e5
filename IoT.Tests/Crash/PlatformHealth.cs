using IoT.Tests.Support;

namespace IoT.Tests.Crash;

internal static class PlatformHealth
{
    /// <summary>What <c>/health/ready</c> tells a viewer of the component <c>ingest</c>.</summary>
    public static async Task<(string Status, string Description)> IngestHealthAsync(this Platform platform)
    {
        var answer = await platform.Client.ReadAsync("/health/ready");
        var ingest = answer.Json.GetProperty("components").EnumerateArray().Single(c => c.GetProperty("name").GetString() == "ingest");
        return (ingest.GetProperty("status").GetString()!, ingest.GetProperty("description").GetString() ?? "");
    }

    /// <summary>Waits until everything acknowledged is stored, by the host's own account.</summary>
    public static Task DrainedAsync(this Platform platform) => Eventually.TrueAsync(
        async () => (await platform.IngestHealthAsync()).Description.Contains(", 0 readings on their way", StringComparison.Ordinal), "an empty ingest log", TimeSpan.FromSeconds(120));
}
