using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Broker;

/// <summary>How much each case sends, and to how many.</summary>
/// <param name="WarmUp">Publishes before anything counts.</param>
/// <param name="Messages">Publishes of each rate.</param>
/// <param name="FanOut">Publishes that go to every subscriber.</param>
/// <param name="Seconds">Length of the timed cases.</param>
internal sealed record BrokerSizes(int WarmUp, int Messages, int IdleSessions, int FilterSessions, int FiltersEach, int Subscribers, int FanOut, int IdleConnections, double Seconds)
{
    public const int Connections = 50;
    public const int InFlight = 100;

    public static BrokerSizes Of(BenchOptions options)
    {
        var sizes = options.IsQuick
            ? new BrokerSizes(150_000, 800_000, 5_000, 1_000, 100, 1_000, 300, 3_000, 4)
            : new BrokerSizes(500_000, 1_000_000, 5_000, 1_000, 100, 1_000, 2_000, 10_000, 15);
        return sizes with { Messages = options.Messages ?? sizes.Messages, Seconds = options.Seconds ?? sizes.Seconds };
    }
}
