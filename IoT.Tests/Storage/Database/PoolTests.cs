using System.Data.Common;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using IoT.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Database;

/// <summary>The pools for writing and reading, and the replica.</summary>
public sealed class PoolTests
{
    [Fact]
    public async Task Reading_has_a_pool_and_limits_of_its_own_and_leaves_writing_alone()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        var options = new StorageOptions
        {
            ReadPoolSize = 2, WritePoolSize = 3, ConnectTimeoutSeconds = 1, IdleConnectionSeconds = 20, ConnectionLifetimeSeconds = 600, MaxAutoPrepare = 7,
            QueryTimeoutSeconds = 1, ReportTimeoutSeconds = 2, StreamTimeoutSeconds = 3, WriteTimeoutSeconds = 4, SlowQueryMs = 1_500,
        };
        await using var pools = new PostgresPools(options);
        pools.Open(postgres.ConnectionString.Replace(";Timeout=10", "", StringComparison.Ordinal), null);
        pools.MarkReady();
        var write = new NpgsqlConnectionStringBuilder(pools.Write.ConnectionString);
        Assert.Equal((3, 1, 20, 600, 7, 4), (write.MaxPoolSize, write.Timeout, write.ConnectionIdleLifetime, write.ConnectionLifetime, write.MaxAutoPrepare, write.CommandTimeout));
        Assert.Equal(2, new NpgsqlConnectionStringBuilder(pools.Read.ConnectionString).MaxPoolSize);
        Assert.Same(pools.ReadOnPrimary, pools.Read);

        var log = new Lines();
        using var meters = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var queries = new QueryLog(pools, options, meters.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), TimeProvider.System, log);
        foreach (var (kind, seconds) in new[] { (QueryKind.Page, 1), (QueryKind.Report, 2), (QueryKind.Stream, 3) })
        {
            var started = Stopwatch.GetTimestamp();
            await Assert.ThrowsAnyAsync<DbException>(() => queries.QueryAsync<int>("sleep", "select 1 from pg_sleep(30)", new { }, TestContext.Current.CancellationToken, kind));
            Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, seconds, seconds + 10);
        }
        Assert.Equal((3, 3), (queries.Find("sleep")!.Count, queries.Find("sleep")!.Failed));
        Assert.Equal(2, log.Written.Count(line => line.StartsWith("Query sleep took ", StringComparison.Ordinal)));
        // PostgreSQL has been told too.
        Assert.Equal(0L, await Support.Database.ScalarAsync<long>(postgres.ConnectionString + ";Pooling=false", "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(30)' and pid <> pg_backend_pid()"));

        // All of the pool is taken: the next one waits no longer than it may, and writing goes on.
        await using var one = await pools.Read.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var two = await pools.Read.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<DbException>(() => queries.QueryAsync<int>("waits", "select 1", new { }, TestContext.Current.CancellationToken));
        await using var writing = await pools.Write.OpenConnectionAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Queries_that_take_all_they_may_have_keep_no_reading_from_being_stored()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.Client.PostReadingAsync($$"""{"device_id":"{{device.Id}}","data_type":"t","payload":{} }""")).Status);
        Assert.Equal(1, await platform.StoredAsync(device.Id));
        List<Task<Answer>> queries;
        await using (var blocker = new NpgsqlConnection(platform.ConnectionString + ";Pooling=false"))
        {
            await blocker.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var hold = new NpgsqlCommand("lock table devices in access exclusive mode", blocker, transaction);
            await hold.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            queries = [.. Enumerable.Range(0, 60).Select(_ => platform.Client.ReadAsync("/api/v1/latest?location=nowhere"))];
            await Eventually.TrueAsync(async () => await WaitingAsync() >= 12, "as many queries as may run, all of them waiting");
            for (var n = 0; n < 20; n++)
                Assert.Equal(200, (await platform.Client.PostReadingAsync($$"""{"device_id":"{{device.Id}}","data_type":"t","payload":{} }""")).Status);
            await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<long>(platform.ConnectionString + ";Pooling=false", "select count(*) from device_data") == 21, "the readings");
            Assert.All(queries, query => Assert.False(query.IsCompleted));
        }
        Assert.All(await Task.WhenAll(queries), answer => Assert.Equal(200, answer.Status));

        Task<long> WaitingAsync() => Support.Database.ScalarAsync<long>(platform.ConnectionString + ";Pooling=false", "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%newest_hour%'");
    }

    private sealed class Lines : ILogger<QueryLog>
    {
        public List<string> Written { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Written.Add(formatter(state, exception));
    }

    [Fact]
    public async Task Queries_go_to_the_replica_while_it_is_hardly_behind_and_to_the_primary_otherwise()
    {
        await using var primary = await GivenPostgres.MakeAsync();
        await primary.StartAsync();
        await using var standby = await primary.MakeStandbyAsync();
        await standby.StartAsync();
        var replica = standby.ConnectionString + ";Pooling=false";
        await using var platform = new Platform(("ConnectionStrings__Postgres", primary.ConnectionString), ("ConnectionStrings__PostgresReplica", standby.ConnectionString));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await UsedAsync(1);

        Assert.Equal(200, (await platform.Client.PostReadingAsync(Reading(0))).Status);
        // Asked anew each time: the look at how far behind it is takes the same connections, and only a connection's last statement is shown.
        await Eventually.TrueAsync(async () => await SeenAsync() == 1 &&
            await Support.Database.ScalarAsync<long>(replica, "select count(*) from pg_stat_activity where application_name = 'iot-replica' and query like '%device_data%'") > 0, "the reading, read from the replica");
        Assert.Contains("behind", (await ComponentAsync()).GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Equal("healthy", (await ComponentAsync()).GetProperty("status").GetString());

        await Support.Database.ScalarAsync<object>(replica, "select pg_wal_replay_pause()");
        Assert.Equal(200, (await platform.Client.PostReadingAsync(Reading(1))).Status);
        await Eventually.TrueAsync(async () => await SeenAsync() == 2, "the reading that the replica has not");
        await UsedAsync(0);
        Assert.Contains("replica_lags", (await platform.Client.ReadAsync("/health/ready")).Text, StringComparison.Ordinal);
        await Support.Database.ScalarAsync<object>(replica, "select pg_wal_replay_resume()");
        await UsedAsync(1);

        // It goes in the middle of it: no query fails of that.
        var reading = Task.Run(async () =>
        {
            var statuses = new List<int>();
            while (statuses.Count < 20 || await platform.MetricAsync("iot_replica_in_use") == 1)
                statuses.Add((await platform.Client.ReadAsync($"/api/v1/data?device_id={device.Id}")).Status);
            return statuses;
        }, TestContext.Current.CancellationToken);
        await standby.StopAsync();
        Assert.All(await reading, status => Assert.Equal(200, status));
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/health/ready")).Text.Contains("replica_away", StringComparison.Ordinal), "the alarm");
        Assert.Equal(2, await SeenAsync());

        // Of several hosts a standby is taken when there is one, wherever it stands among them.
        await standby.StartAsync();
        await using var pools = new PostgresPools(new StorageOptions());
        pools.Open(primary.ConnectionString, primary.ConnectionString.Replace($"Host=127.0.0.1;Port={primary.Port}", string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1:{primary.Port},127.0.0.1:{standby.Port};Host Recheck Seconds=0"), StringComparison.Ordinal));
        pools.MarkReady();
        pools.IsReplicaInUse = true;
        Assert.True(await IsStandbyAsync());
        await standby.StopAsync();
        await Eventually.TrueAsync(async () => !await IsStandbyAsync(), "the primary's turn");

        async Task<bool> IsStandbyAsync()
        {
            try
            {
                await using var connection = await pools.Read.OpenConnectionAsync(TestContext.Current.CancellationToken);
                await using var command = new NpgsqlCommand("select pg_is_in_recovery()", connection);
                return (bool)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
            }
            catch (DbException)
            {
                // A connection that the pool had.
                return true;
            }
        }

        string Reading(int n) => $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","message_id":"{{{n}}}","payload":{"n":{{{n}}}}}""";

        async Task<int> SeenAsync() => (await platform.Client.ReadAsync($"/api/v1/data?device_id={device.Id}")).Items.Count;

        Task UsedAsync(int value) => Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/metrics")).Text.Contains($"iot_replica_in_use{{", StringComparison.Ordinal) && await platform.MetricAsync("iot_replica_in_use") == value, $"use of the replica: {value}");

        async Task<JsonElement> ComponentAsync() =>
            (await platform.Client.ReadAsync("/health/ready")).Json.GetProperty("components").EnumerateArray().Single(c => c.GetProperty("name").GetString() == "replica");
    }
}
