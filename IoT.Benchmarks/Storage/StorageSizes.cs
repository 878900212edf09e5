using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Storage;

/// <summary>How much each case stores.</summary>
/// <param name="Few">Readings in the small table.</param>
/// <param name="Many">Readings in the large one.</param>
/// <param name="Layout">Readings of the cases that compare layouts.</param>
/// <param name="Messages">Readings sent in each round of the ingest cases.</param>
/// <param name="Rounds">Rounds with and without summaries, in turns.</param>
internal sealed record StorageSizes(int Few, int Many, int Layout, int Messages, int Rounds, double Seconds)
{
    /// <summary>Devices of the tables that are queried: each has 2,000 readings in the small one.</summary>
    public const int Devices = 100;

    public static StorageSizes Of(BenchOptions options)
    {
        var sizes = options.IsQuick
            ? new StorageSizes(200_000, 2_000_000, 500_000, 250_000, 2, 5)
            : new StorageSizes(200_000, 20_000_000, 2_000_000, 600_000, 3, 15);
        return sizes with { Many = options.Rows ?? sizes.Many, Messages = options.Messages ?? sizes.Messages, Seconds = options.Seconds ?? sizes.Seconds };
    }
}
