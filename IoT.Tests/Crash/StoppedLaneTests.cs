using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>PostgreSQL is there and refuses: what passes by itself is tried again soon, what somebody must mend is said, and waited for.</summary>
public sealed class StoppedLaneTests
{
    private const int ProbeSeconds = 4;

    [Theory]
    [InlineData("revoke insert on device_data from host_role", "grant insert on device_data to host_role", "permission denied")]
    [InlineData("alter table device_data rename to taken_away", "alter table taken_away rename to device_data", "does not exist")]
    public async Task A_fault_that_lasts_is_said_and_not_hammered_and_nothing_is_lost(string spoil, string mend, string said)
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        var owner = postgres.ConnectionString;
        // A role that owns nothing afterwards, so that a right can be taken from it.
        await Support.Database.RunAsync(owner, "create role host_role login superuser password 'given'");
        await using var platform = new Platform(
            ("ConnectionStrings__Postgres", owner.Replace("Username=iot", "Username=host_role", StringComparison.Ordinal)),
            ("Gateway__StoppedLaneProbeSeconds", ProbeSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        await platform.StartAsync();
        var device = new Numbers(await platform.NewDeviceAsync());
        await SendAsync(platform, device, 5);
        await platform.DrainedAsync();
        await Support.Database.RunAsync(owner, """
            do $$ declare t text; begin
              for t in select format('%I.%I', schemaname, tablename) from pg_tables where tableowner = 'host_role' loop
                execute format('alter table %s owner to iot; grant all on %s to host_role', t, t);
              end loop;
            end $$;
            alter role host_role nosuperuser;
            grant usage on all sequences in schema public to host_role
            """);

        await Support.Database.RunAsync(owner, spoil);
        await SendAsync(platform, device, 5);
        var alarm = await Eventually.SomethingAsync(async () => (object?)await AlarmAsync(platform, "lane_stopped"), "the alarm");
        var clock = TimeProvider.System;
        var stopped = clock.GetTimestamp();
        Assert.Contains(said, ((JsonElement)alarm).GetProperty("what").GetString(), StringComparison.Ordinal);
        var (status, description) = await platform.IngestHealthAsync();
        Assert.Equal("degraded", status);
        Assert.Contains(said, description, StringComparison.Ordinal);
        Assert.Equal(200, (await platform.Stranger.ReadAsync("/health/ready")).Status);
        Assert.Equal(1, await platform.MetricAsync("iot_drain_lanes_stopped"));
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_alarms", "lane_stopped") == 1, "the metric");
        Assert.Single(platform.Output.Split('\n'), line => line.Contains("has stopped writing", StringComparison.Ordinal));

        // Readings are taken all the same, and PostgreSQL is asked again when the time has come, not before.
        await SendAsync(platform, device, 20);
        var failures = await platform.MetricAsync("iot_drain_failures", "kind=\"lasting\"");
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_drain_failures", "kind=\"lasting\"") > failures + 1, "two more tries");
        Assert.True(clock.GetElapsedTime(stopped).TotalSeconds > ProbeSeconds, $"Tried again twice within {clock.GetElapsedTime(stopped).TotalSeconds} s.");
        Assert.Equal(0, await platform.MetricAsync("iot_drain_failures", "kind=\"passing\""));

        await Support.Database.RunAsync(owner, mend);
        var verdict = await Oracle.SettledAsync(owner, [device]);
        Assert.True(verdict.IsClean, verdict.ToString());
        Assert.Equal(30, verdict.Stored);
        await Eventually.TrueAsync(async () => await AlarmAsync(platform, "lane_stopped") is null, "the alarm's end");
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_alarms", "lane_stopped") == 0, "the metric's end");
        Assert.Contains("stores readings again", platform.Output, StringComparison.Ordinal);
        Assert.Equal(0, await Support.Database.ScalarAsync<long>(owner, "select count(*) from quarantine"));
    }

    [Fact]
    public async Task A_restart_looks_whether_it_was_mended_and_stores_what_waited()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString), ("Gateway__StoppedLaneProbeSeconds", "3600"));
        await platform.StartAsync();
        var device = new Numbers(await platform.NewDeviceAsync());
        await Support.Database.RunAsync(postgres.ConnectionString, "alter table device_data rename to taken_away");
        await SendAsync(platform, device, 10);
        await Eventually.TrueAsync(async () => await AlarmAsync(platform, "lane_stopped") is not null, "the alarm");
        Assert.Equal(0, await platform.StopAsync());
        await Support.Database.RunAsync(postgres.ConnectionString, "alter table taken_away rename to device_data");
        await platform.StartAsync();
        var verdict = await Oracle.SettledAsync(postgres.ConnectionString, [device]);
        Assert.True(verdict.IsClean, verdict.ToString());
        Assert.Null(await AlarmAsync(platform, "lane_stopped"));
    }

    [Fact]
    public async Task A_fault_that_passes_is_tried_again_soon()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString), ("Gateway__StoppedLaneProbeSeconds", "3600"));
        await platform.StartAsync();
        var device = new Numbers(await platform.NewDeviceAsync());
        // A server that takes no writes for now, then one that is away.
        await Support.Database.RunAsync(postgres.ConnectionString, "alter system set default_transaction_read_only = on");
        await Support.Database.RunAsync(postgres.ConnectionString, "select pg_reload_conf()");
        await SendAsync(platform, device, 5);
        await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_drain_failures", "kind=\"passing\"") >= 3, "three tries");
        await Eventually.TrueAsync(async () => await AlarmAsync(platform, "readings_wait") is not null, "the alarm");
        await postgres.StopAsync();
        await SendAsync(platform, device, 5);
        await Eventually.TrueAsync(async () => await AlarmAsync(platform, "postgresql_away") is not null, "the alarm");
        await postgres.StartAsync();
        await Support.Database.RunAsync(postgres.ConnectionString + ";Options=-c default_transaction_read_only=off", "alter system reset default_transaction_read_only");
        await Support.Database.RunAsync(postgres.ConnectionString + ";Options=-c default_transaction_read_only=off", "select pg_reload_conf()");
        var verdict = await Oracle.SettledAsync(postgres.ConnectionString, [device]);
        Assert.True(verdict.IsClean, verdict.ToString());
        Assert.Equal(0, await platform.MetricAsync("iot_drain_failures", "kind=\"lasting\""));
        Assert.Null(await AlarmAsync(platform, "lane_stopped"));
    }

    private static async Task<JsonElement?> AlarmAsync(Platform platform, string name)
    {
        var alarms = (await platform.Client.ReadAsync("/health/ready")).Json.GetProperty("alarms").EnumerateArray().Where(a => a.GetProperty("name").GetString() == name).ToList();
        return alarms.Count > 0 ? alarms[0] : null;
    }

    private static async Task SendAsync(Platform platform, Numbers numbers, int count)
    {
        var device = platform.As(numbers.Device.Token);
        for (var i = 0; i < count; i++)
        {
            var number = numbers.Next();
            Assert.Equal(200, (await device.PostReadingAsync(numbers.Body(number))).Status);
            numbers.Acknowledge(number);
        }
    }
}
