using IoT.Modules.Semantics.Engine;
using Xunit;

namespace IoT.Tests.Semantics.Proof;

/// <summary>Random programs and random changes. IOT_TEST_SEED=n runs what failed again; IOT_TEST_LONG=1 runs a hundred times as many.</summary>
public sealed class RandomProgramTests
{
    private static readonly int Rounds = Environment.GetEnvironmentVariable("IOT_TEST_LONG") == "1" ? 4_000 : 40;

    private static IEnumerable<int> Seeds => int.TryParse(Environment.GetEnvironmentVariable("IOT_TEST_SEED"), out var seed)
        ? [seed]
        : Enumerable.Range(Random.Shared.Next(), Rounds).Select(number => number & int.MaxValue);

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void After_any_change_everything_is_as_if_it_were_derived_anew(bool isPositive, bool product)
    {
        Each(seed =>
        {
            var world = new RandomWorld(seed, isPositive, product);
            for (var step = 0; step < 25; step++)
                world.Step();
        });
    }

    [Fact]
    public void A_look_at_other_values_leaves_nothing_behind()
    {
        Each(seed =>
        {
            var world = new RandomWorld(seed, isPositive: false, product: false);
            for (var step = 0; step < 8; step++)
            {
                world.Step();
                world.Look();
            }
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_derived_fact_is_explained_by_what_derives_it(bool product)
    {
        Each(seed =>
        {
            var world = new RandomWorld(seed, isPositive: false, product);
            for (var step = 0; step < 6; step++)
                world.Step();
            world.Explain();
        });
    }

    // In max-min: a fact holds in a degree of at least α exactly when the rules of at least α derive it.
    [Fact]
    public void A_degree_is_the_highest_threshold_at_which_a_fact_is_still_derived()
    {
        Each(seed =>
        {
            var random = new Random(seed);
            var rules = Knowledge.Rules(new RandomProgram(random, isPositive: true).Text + new RandomProgram(random, isPositive: true).Text);
            var facts = RandomProgram.Facts(random, 40);
            var all = Derive(rules, facts);
            foreach (var threshold in rules.Rules.Select(rule => rule.Confidence).Append(0.01).Append(1).Distinct())
            {
                var strong = Derive(rules with { Rules = [.. rules.Rules.Where(rule => rule.Confidence >= threshold)] }, facts);
                Assert.Equal(all.Where(pair => pair.Value >= threshold).Select(pair => pair.Key).Order(StringComparer.Ordinal), strong.Keys.Order(StringComparer.Ordinal));
            }
        });

        static Dictionary<string, double> Derive(IoT.Modules.Semantics.Rules.RuleSet rules, string facts)
        {
            var knowledge = new KnowledgeBase(new EngineOptions { Threads = 1 });
            knowledge.PutFacts(facts);
            using var commit = knowledge.Put(rules);
            Knowledge.Check(commit.Error);
            return knowledge.Degrees();
        }
    }

    private static void Each(Action<int> test)
    {
        foreach (var seed in Seeds)
        {
            try
            {
                test(seed);
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"IOT_TEST_SEED={seed}: {exception.Message}", exception);
            }
        }
    }
}
