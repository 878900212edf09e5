using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>A disk that fails, that lies, and what is durable when an acknowledgement leaves; seen from below the host, by a preloaded library.</summary>
public sealed class DiskTests
{
    [Fact]
    public async Task An_acknowledgement_leaves_after_an_fdatasync_that_covers_it()
    {
        using var shim = new Shim();
        await using var platform = new Platform(shim.Settings);
        await platform.StartAsync();
        var cancellation = TestContext.Current.CancellationToken;
        var numbers = new Numbers(await platform.NewDeviceAsync());
        await using var pipe = await MqttPipe.ConnectAsync(platform.MqttPort, numbers.Device.Id, numbers.Device.Token, cancellation);
        var http = platform.As(numbers.Device.Token);

        shim.BeginTrace();
        // One at a time, so that the next group can't cover for one that was not synced.
        for (var i = 0; i < 100; i++)
        {
            var number = await PublishAsync();
            Assert.Equal(((ushort)number, (byte)0), await pipe.AcknowledgementAsync(cancellation));
        }
        var posted = new List<int>();
        for (var i = 0; i < 50; i++)
        {
            posted.Add(numbers.Next());
            Assert.Equal(200, (await http.PostReadingAsync(numbers.Body(posted[^1]))).Status);
        }
        // And many at once: groups are written while others are acknowledged.
        for (var i = 0; i < 1_000; i++)
            await PublishAsync();
        for (var i = 0; i < 1_000; i++)
            Assert.NotNull(await pipe.AcknowledgementAsync(cancellation));
        var trace = shim.EndTrace();

        var acknowledgements = CoveredAcknowledgements.Pubacks(trace).Concat(posted.Zip(CoveredAcknowledgements.Oks(trace), (number, at) => (Number: number, At: at))).ToList();
        Assert.Equal(numbers.Sent, acknowledgements.Select(a => a.Number).Distinct().Count());
        Assert.Empty(CoveredAcknowledgements.Early(trace, acknowledgements));
        // The same look finds a sync that failed, and an acknowledgement that left before it was due.
        Assert.Equal(numbers.Sent, CoveredAcknowledgements.Early([.. trace.Select(e => e with { Succeeded = false })], acknowledgements).Distinct().Count());
        var sixth = acknowledgements.First(a => a.Number == 6).At; // The seventh was written after that.
        Assert.Contains(7, CoveredAcknowledgements.Early(trace, acknowledgements.Select(a => a.Number == 7 ? a with { At = sixth } : a)));

        async Task<int> PublishAsync()
        {
            var number = numbers.Next();
            await pipe.PublishAsync(numbers.Device.Topic, numbers.Body(number), (ushort)number, cancellation);
            return number;
        }
    }

    [Fact]
    public async Task A_failing_fdatasync_stops_the_host_and_nothing_it_should_have_covered_is_acknowledged()
    {
        using var shim = new Shim();
        await using var platform = new Platform(shim.Settings);
        await platform.StartAsync();
        await using var load = await Load.StartAsync(platform, CrashForm.Seed());
        await load.MoreAsync(1_000, "before the disk fails");

        shim.BeginTrace();
        shim.FailSyncs();
        Assert.Equal(1, await platform.ExitAsync());
        var trace = shim.EndTrace();
        var failure = trace.Select((e, i) => (e, i)).First(x => x.e is { Kind: TraceKind.SyncEnded, Succeeded: false }).i;
        // Nothing is tried again: what a second fdatasync says of pages that the kernel gave up is worth nothing.
        Assert.DoesNotContain(trace.Skip(failure + 1), e => e.Kind is TraceKind.Written or TraceKind.SyncBegins);
        Assert.Contains("The ingest log has failed, and the host stops", platform.Output + platform.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("can't be drained", platform.Output, StringComparison.Ordinal);
        Assert.Contains("fdatasync: Input/output error", platform.Output + platform.Errors, StringComparison.Ordinal);

        // The shim has thrown away what it was not able to sync: an acknowledgement of it would be missing now.
        shim.Repair();
        await platform.StartAsync();
        await load.MoreAsync(500, "on a disk that works again");
        await load.StopAsync();
        var verdict = await Oracle.SettledAsync(platform.ConnectionString, load.Devices);
        Assert.True(verdict.IsClean, verdict.ToString());
        Assert.Empty(load.Faults);
    }

    /// <summary>Without this, all the others prove nothing.</summary>
    [Fact]
    public async Task The_oracle_sees_acknowledgements_that_were_not_durable_and_everything_else_that_it_should()
    {
        using var shim = new Shim();
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform([.. shim.Settings, ("ConnectionStrings__Postgres", postgres.ConnectionString)]);
        await platform.StartAsync();
        await using var load = await Load.StartAsync(platform, CrashForm.Seed());
        await load.MoreAsync(300, "on a disk that works");
        await postgres.StopAsync();
        shim.LoseWrites();
        // In flight when the disk began to lie: neither here nor there.
        await load.MoreAsync(2_000, "on the border");
        var before = load.Acknowledged;
        await load.MoreAsync(1_000, "on a disk that lies");
        await platform.KillAsync();
        await load.StopAsync();
        var lied = load.Acknowledged - before;

        shim.Repair();
        await postgres.StartAsync();
        await platform.StartAsync();
        await platform.DrainedAsync();
        var verdict = await JudgeAsync();
        Assert.InRange(verdict.Lost.Count, lied, load.Acknowledged);
        Assert.Empty(verdict.Twice);
        Assert.Empty(verdict.Invented);
        Assert.Empty(verdict.Disordered);

        // What no crash will bring about while the platform is right.
        var (device, lost) = (load.Devices[0], verdict.Lost.Count);
        var whose = $"device_id = (select id from devices where external_id = '{device.Device.Id}')";
        await SqlAsync($"delete from device_data where {whose} and (payload->>'n')::int = {device.Acknowledged.Min()}");
        Assert.Equal(lost + 1, (await JudgeAsync()).Lost.Count);
        await SqlAsync($"insert into device_data (device_id, timestamp, data_type, payload) select device_id, timestamp, data_type, payload from device_data where {whose} order by id desc limit 1");
        Assert.Single((await JudgeAsync()).Twice);
        await SqlAsync($"insert into device_data (device_id, timestamp, data_type, payload) select device_id, timestamp, data_type, '{{\"n\":999999999}}' from device_data where {whose} limit 1");
        Assert.Single((await JudgeAsync()).Invented);
        await SqlAsync($"update device_data set id = -id where {whose} and id = (select max(id) from device_data where {whose} and (payload->>'n')::int < 999999999)");
        Assert.NotEmpty((await JudgeAsync()).Disordered);

        Task<Verdict> JudgeAsync() => Oracle.JudgeAsync(postgres.ConnectionString, load.Devices);
        Task<long> SqlAsync(string sql) => Database.ScalarAsync<long>(postgres.ConnectionString, new StringBuilder("with changed as (").Append(sql).Append(" returning 1) select count(*) from changed").ToString());
    }
}
