using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Ingest;

/// <summary>How much each case sends, and for how long.</summary>
internal sealed record IngestSizes(int WarmUp, int Messages, int Backlog, int Memory, double Seconds)
{
    public const int Connections = 50;
    public const int InFlight = 100;
    public const int ManyDevices = 10_000;
    public const int HttpConnections = 64;

    public static IngestSizes Of(BenchOptions options)
    {
        var sizes = options.IsQuick
            ? new IngestSizes(150_000, 200_000, 200_000, 400_000, 4)
            : new IngestSizes(500_000, 1_000_000, 1_000_000, 5_000_000, 20);
        return sizes with
        {
            Messages = options.Messages ?? sizes.Messages,
            Backlog = options.Backlog ?? sizes.Backlog,
            Memory = options.Memory ?? sizes.Memory,
            Seconds = options.Seconds ?? sizes.Seconds,
        };
    }
}
