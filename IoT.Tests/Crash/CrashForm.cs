using System.Globalization;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>How long, and from which seed: <c>IOT_TEST_LONG=1</c> for the long form, <c>IOT_TEST_SEED</c> to run a failure again.</summary>
internal static class CrashForm
{
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("IOT_TEST_LONG") == "1";

    /// <summary>The seed of this run; said in the test's output, whatever comes of it.</summary>
    public static int Seed()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("IOT_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next(1_000_000);
        Say($"IOT_TEST_SEED={seed}{(IsLong ? " IOT_TEST_LONG=1" : "")}");
        return seed;
    }

    public static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);
}
