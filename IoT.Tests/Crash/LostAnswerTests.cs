using IoT.Tests.Support;
using Npgsql;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>Commits whose outcome the host does not learn.</summary>
public sealed class LostAnswerTests
{
    [Fact]
    public async Task A_commit_whose_answer_is_lost_stores_nothing_twice_and_loses_nothing()
    {
        var seed = CrashForm.Seed();
        var random = new Random(seed);
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        var direct = new NpgsqlConnectionStringBuilder(postgres.ConnectionString);
        await using var proxy = new CuttingProxy(direct.Port, seed);
        await using var platform = new Platform(("ConnectionStrings__Postgres", new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Port = proxy.Port }.ConnectionString));
        await platform.StartAsync();
        await using var load = await Load.StartAsync(platform, seed);

        var wanted = CrashForm.IsLong ? 200 : 10;
        proxy.IsCutting = true;
        await Eventually.TrueAsync(() => Task.FromResult(proxy.Cuts >= wanted), $"{wanted} answers lost", TimeSpan.FromMinutes(10));
        proxy.IsCutting = false;

        // The other way: the backend itself is ended, wherever it stands.
        var ended = 0L;
        while (ended < wanted)
        {
            ended += await Database.ScalarAsync<long>(
                postgres.ConnectionString,
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and state = 'active' and query like '%insert into device_data%'");
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(5)), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        await load.MoreAsync(500, "after the last cut");
        await load.StopAsync();
        await platform.DrainedAsync();
        var verdict = await Oracle.SettledAsync(postgres.ConnectionString, load.Devices);
        CrashForm.Say($"{verdict}; {proxy.Cuts} answers lost, {ended} backends ended");
        Assert.True(verdict.IsClean, $"{verdict} (seed {seed})");
        Assert.Empty(load.Faults);
        Assert.Equal(0, await Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from quarantine"));
    }

    [Fact]
    public async Task What_is_counted_as_stored_after_a_lost_answer_is_what_was_stored()
    {
        var seed = CrashForm.Seed();
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var proxy = new CuttingProxy(new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Port, seed);
        // Duplicates are not found in memory, but in the database.
        await using var platform = new Platform(
            ("ConnectionStrings__Postgres", new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Port = proxy.Port }.ConnectionString), ("Gateway__MessageCacheSize", "1"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var client = platform.As(device.Token);
        proxy.IsCutting = true;
        var sent = 0;
        for (var round = 0; round < 40 || proxy.Cuts < 5; round++)
        {
            // One that is new, one that came before, and another new one that puts them out of the memory.
            var body = $$$"""
                [{"message_id":"r{{{round}}}","data_type":"t","payload":{"n":{{{round}}}}},
                 {"message_id":"r{{{Math.Max(0, round - 1)}}}","data_type":"t","payload":{"n":-1}},
                 {"message_id":"filler{{{round}}}","data_type":"t","payload":{"n":-2}}]
                """;
            Assert.Equal(200, (await client.PostReadingAsync(body)).Status);
            sent += 3;
            await platform.DrainedAsync();
        }
        proxy.IsCutting = false;
        await platform.DrainedAsync();

        var rows = await Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from device_data");
        Assert.Equal(rows, await platform.MetricAsync("iot_readings_stored"));
        Assert.Equal(sent - rows, await platform.MetricAsync("iot_readings_duplicate"));
    }
}
