using System.Collections.Concurrent;
using Dapper;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.Quarantine;
using IoT.Modules.Storage.Readings;
using IoT.Modules.Storage.Retention;
using IoT.Modules.Storage.Summaries;
using IoT.Tests.Storage.Database;
using IoT.Tests.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace IoT.Tests.Storage.Partitions;

public sealed class PartitionScheduleTests(UpgradeServer server) : IClassFixture<UpgradeServer>
{
    [Fact]
    public async Task Partitions_are_made_ahead_as_time_goes_by_also_after_a_turn_that_failed()
    {
        var database = await server.DatabaseAsync("schedule", 0);
        await UpgradeTests.MigrateAsync(database);
        DefaultTypeMap.MatchNamesWithUnderscores = true; // As the module sets it.
        await using var pools = await UpgradeTests.OpenAsync(database);
        pools.MarkReady();
        var (time, options, readiness, log) = (new Clock(), new StorageOptions(), new StorageReadiness(), new Lines());
        var window = new ReadingWindow(TimeSpan.FromDays(options.RetentionDays));
        var partitions = new ReadingPartitions(pools, options, window, time, NullLogger<ReadingPartitions>.Instance);
        // Nothing is old enough to go: nobody is told.
        using var retention = new RetentionKeeper(
            pools, options, new PartitionRemover(pools, window, time, NullLogger<PartitionRemover>.Instance), partitions,
            new SummaryPartitions(pools, options, time, NullLogger<SummaryPartitions>.Instance), caches: null!, mediator: null!, time);
        using var messageIds = new MessageIds(pools, options, time, NullLogger<MessageIds>.Instance);
        using var maintenance = new PartitionMaintenance(
            partitions, retention, messageIds, new QuarantineKeeper(pools, options, time, NullLogger<QuarantineKeeper>.Instance), readiness, time, log);
        await maintenance.StartAsync(TestContext.Current.CancellationToken);
        readiness.MarkReady();
        await MadeAsync("y2026m11 y2026m12 y2027m01 y2027m02");

        time.Now = new DateTimeOffset(2026, 12, 31, 23, 59, 59, TimeSpan.Zero);
        time.Tick();
        await MadeAsync("y2026m11 y2026m12 y2027m01 y2027m02 y2027m03");

        await Support.Database.RunAsync(database, "alter table device_data rename to elsewhere");
        time.Now = time.Now.AddSeconds(1);
        time.Tick();
        await Eventually.TrueAsync(() => Task.FromResult(log.Written.Any(line => line.StartsWith("Partitions could not be looked after", StringComparison.Ordinal))), "the turn that fails");
        await Support.Database.RunAsync(database, "alter table elsewhere rename to device_data");
        time.Tick();
        await MadeAsync("y2026m11 y2026m12 y2027m01 y2027m02 y2027m03 y2027m04");
        await maintenance.StopAsync(TestContext.Current.CancellationToken);

        Task MadeAsync(string expected) => Eventually.TrueAsync(async () => expected == await Support.Database.ScalarAsync<string>(
            database, "select coalesce(string_agg(substr(inhrelid::regclass::text, 13), ' ' order by inhrelid::regclass::text), '') from pg_inherits where inhparent = 'device_data'::regclass"), expected);
    }

    private sealed class Lines : ILogger<PartitionMaintenance>
    {
        public ConcurrentQueue<string> Written { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Written.Enqueue(formatter(state, exception));
    }

    /// <summary>Stands still; its one timer ticks when it is told to.</summary>
    private sealed class Clock : TimeProvider
    {
        private TimerCallback? _callback;
        private object? _state;

        public DateTimeOffset Now { get; set; } = new(2026, 11, 23, 4, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state) = (callback, state);
            return System.CreateTimer(_ => { }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        public void Tick() => _callback!(_state);
    }
}
