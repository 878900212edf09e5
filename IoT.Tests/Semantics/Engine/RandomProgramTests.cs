using IoT.Modules.Semantics.Engine;
using Xunit;

namespace IoT.Tests.Semantics.Engine;

/// <summary>The engine against a naive reasoner and against itself from scratch, over random programs and random changes.</summary>
public sealed class RandomProgramTests
{
    private const int Changes = 12;

    [Theory]
    [InlineData(0, false)]
    [InlineData(1_000, true)]
    public void What_follows_is_what_a_naive_reasoner_finds(int from, bool isProduct) =>
        Run(from, 30, new EngineOptions { CompileAfter = 0, Product = isProduct, Threads = 1 });

    [Fact]
    public void Interpreted_rules_give_the_same() =>
        Run(2_000, 20, new EngineOptions { CompileRules = false, Threads = 1 });

    [Fact]
    public void Several_threads_give_the_same() =>
        Run(3_000, 25, new EngineOptions { CompileAfter = 0, Threads = 3, ParallelThreshold = 1 });

    [Fact]
    public void Deriving_everything_anew_gives_the_same() =>
        Run(4_000, 10, new EngineOptions { Incremental = false, Threads = 1 });

    [Fact]
    public void Blank_nodes_of_conclusions_are_the_same_again() =>
        Run(5_000, 20, new EngineOptions { CompileAfter = 0, Threads = 1 }, hasBlanks: true);

    private static void Run(int from, int count, EngineOptions options, bool hasBlanks = false)
    {
        var derived = 0L;
        for (var seed = from; seed < from + count; seed++)
            derived += RandomRun.Of(seed, options, Changes, hasBlanks);
        Assert.True(derived > count, $"only {derived} facts were derived");
    }
}
