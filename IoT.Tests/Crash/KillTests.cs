using System.Globalization;
using IoT.Modules.Storage.PrivatePostgres;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>
/// The promise under fire: the host, PostgreSQL's main process, and all of PostgreSQL are killed or frozen at random moments while
/// clients send.
/// </summary>
public sealed class KillTests
{
    private const int SigStop = 19, SigCont = 18;

    // A host under this load held 136 MiB; what was acknowledged while PostgreSQL was away is on disk, not in memory.
    private const long MostMemory = 400L * 1024 * 1024;

    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Whatever_is_killed_each_acknowledged_reading_is_stored_exactly_once()
    {
        var seed = CrashForm.Seed();
        var random = new Random(seed);
        // Payloads go through the log compressed: what comes out is what went in.
        await using var platform = new Platform(("Gateway__CompressLogAboveBytes", "1"));
        await platform.StartAsync();
        await using var load = await Load.StartAsync(platform, seed);

        var (kills, postmasters, freezes) = CrashForm.IsLong ? (100, 50, 5) : (5, 5, 1);
        Func<Task>[] faults =
        [
            .. Enumerable.Repeat(() => KillHostAsync(platform, load, random), kills),
            .. Enumerable.Repeat(() => KillPostmasterAsync(platform, load, random), postmasters),
            .. Enumerable.Repeat(() => FreezeAsync(platform, load), freezes),
        ];
        random.Shuffle(faults);
        for (var i = 0; i < faults.Length; i++)
        {
            await load.MoreAsync(random.Next(100, 2_000), $"before fault {i + 1}");
            await faults[i]();
        }

        await load.MoreAsync(500, "after the last fault");
        await load.StopAsync();
        var verdict = await Oracle.SettledAsync(platform.ConnectionString, load.Devices);
        CrashForm.Say($"{verdict}; most memory {platform.PeakMemory() >> 20} MiB");
        Assert.True(verdict.IsClean, $"{verdict} (seed {seed})");
        Assert.Empty(load.Faults);
        Assert.Equal(0, await platform.ScalarAsync<long>("select count(*) from quarantine"));
        Assert.InRange(platform.PeakMemory(), 0, MostMemory);

        // And what a last start might bring again out of the log.
        Assert.Equal(0, await platform.StopAsync());
        await platform.StartAsync();
        await platform.DrainedAsync();
        verdict = await Oracle.JudgeAsync(platform.ConnectionString, load.Devices);
        Assert.True(verdict.IsClean, $"{verdict} (seed {seed})");
    }

    private static async Task KillHostAsync(Platform platform, Load load, Random random)
    {
        Assert.InRange(platform.PeakMemory(), 0, MostMemory);
        Say(load, "host killed");
        await platform.KillAsync();
        // A recovery that is itself cut short must not spoil anything either.
        if (random.Next(4) == 0)
        {
            await platform.LaunchAsync();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(3_000)), TimeProvider.System, TestContext.Current.CancellationToken);
            Say(load, "host killed while it starts");
            await platform.KillAsync();
        }
        await platform.StartAsync();
    }

    private static async Task KillPostmasterAsync(Platform platform, Load load, Random random)
    {
        // Between its death and its successor there is no pid file, or the old one.
        var killed = platform.PostmasterPid();
        Say(load, "postmaster killed");
        platform.KillPostmaster();
        await load.MoreAsync(random.Next(50, 300), "while PostgreSQL is away");
        await Eventually.TrueAsync(
            async () => platform.PostmasterPid() != killed && (await platform.Stranger.ReadAsync("/health/ready")).Status == 200, "another postmaster", Recovery);
    }

    private static async Task FreezeAsync(Platform platform, Load load)
    {
        var time = TimeSpan.FromSeconds(CrashForm.IsLong ? 20 : 5);
        var frozen = platform.PostgresProcesses();
        Say(load, $"{frozen.Count} processes of PostgreSQL stopped for {time.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s");
        foreach (var pid in frozen)
            Posix.Signal(pid, SigStop);
        try
        {
            var clock = TimeProvider.System;
            var start = clock.GetTimestamp();
            while (clock.GetElapsedTime(start) < time)
                await load.MoreAsync(100, "while PostgreSQL stands still");
        }
        finally
        {
            foreach (var pid in frozen)
                Posix.Signal(pid, SigCont);
        }
        await Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/ready")).Status == 200, "readiness after a standstill", Recovery);
    }

    private static void Say(Load load, string what) => CrashForm.Say($"{load.Acknowledged} acknowledged: {what}");
}
