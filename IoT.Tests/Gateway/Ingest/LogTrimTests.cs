using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;
using IoT.Tests.Gateway.IngestLog;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Ingest;

public sealed class LogTrimTests
{
    [Fact]
    public async Task The_log_is_trimmed_behind_the_one_that_is_furthest_behind()
    {
        await using var log = await FilledAsync(60);
        var trim = new LogTrim(() => log);
        trim.Lanes(400);
        trim.Broker(130);
        await UntilAsync(log, first => first is > 1 and <= 131);
        trim.Broker(long.MaxValue);
        await UntilAsync(log, first => first is > 131 and <= 401);
    }

    [Fact]
    public async Task A_hold_keeps_all_of_it()
    {
        await using var log = await FilledAsync(60);
        var trim = new LogTrim(() => log);
        var (one, other) = (trim.Hold(), trim.Hold());
        trim.Lanes(400);
        trim.Broker(400);
        one.Dispose();
        one.Dispose();
        await log.AppendAsync(LogTesting.Text("time for the keeper"));
        Assert.Equal(1, log.FirstSequence);
        other.Dispose();
        await UntilAsync(log, first => first is > 131 and <= 401);
    }

    [Fact]
    public async Task A_broker_that_fails_holds_the_log_up_to_half_of_its_budget()
    {
        await using (var little = await FilledAsync(20))
        {
            var trim = new LogTrim(() => little);
            trim.Broker(1, fails: true);
            trim.Lanes(100);
            await little.AppendAsync(LogTesting.Text("time for the keeper"));
            Assert.Equal(1, little.FirstSequence);
        }
        await using (var much = await FilledAsync(60))
        {
            var trim = new LogTrim(() => much);
            trim.Broker(1);
            trim.Lanes(400);
            await much.AppendAsync(LogTesting.Text("one that only lags is waited for"));
            Assert.Equal(1, much.FirstSequence);
            trim.Broker(1, fails: true);
            await UntilAsync(much, first => first is > 131 and <= 401);
        }
    }

    private static async Task<DurableLog> FilledAsync(int percent)
    {
        var log = new SimulatedDisk().Open();
        while (log.SizeBytes * 100 < log.BudgetBytes * percent)
            await log.AppendAllAsync(LogTesting.Words(1, 10, 600));
        return log;
    }

    private static Task UntilAsync(DurableLog log, Func<long, bool> holds) =>
        Eventually.TrueAsync(() => Task.FromResult(holds(log.FirstSequence)), $"another first sequence than {log.FirstSequence}", TimeSpan.FromSeconds(10));
}
