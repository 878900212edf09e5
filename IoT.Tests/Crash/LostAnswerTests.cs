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
}
