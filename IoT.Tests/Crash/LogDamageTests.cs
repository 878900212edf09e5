using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>A log that a crash or the disk has damaged while it was the only place that had the readings.</summary>
public sealed class LogDamageTests
{
    [Fact]
    public async Task Of_a_torn_tail_everything_before_the_tear_is_stored()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await using var load = await KilledWithAFullLogAsync(postgres, platform);

        var segment = LogSegment.LastOf(platform.DataDirectory);
        var (last, end) = (segment.Records[^1], segment.End);
        // The last record is half there, and behind it stands what never became a record.
        segment.Overwrite(last.PayloadOffset + last.PayloadLength / 2, new byte[last.PayloadLength - last.PayloadLength / 2]);
        var rest = new byte[300];
        new Random(1).NextBytes(rest);
        segment.Overwrite(end, rest);

        await postgres.StartAsync();
        await platform.StartAsync();
        var verdict = await Oracle.SettledAsync(postgres.ConnectionString, load.Devices, gone: last.Name);
        Assert.Empty(verdict.Lost.Except([last.Name]));
        Assert.True((verdict with { Lost = [] }).IsClean, verdict.ToString());
        Assert.Contains("a crash left", platform.Output, StringComparison.Ordinal);

        // It goes on from there.
        var next = new Numbers(await platform.NewDeviceAsync());
        await SendAsync(platform, next, 20);
        verdict = await Oracle.SettledAsync(postgres.ConnectionString, [.. load.Devices, next], gone: last.Name);
        Assert.Empty(verdict.Lost.Except([last.Name]));
        Assert.True((verdict with { Lost = [] }).IsClean, verdict.ToString());
    }

    [Fact]
    public async Task A_flipped_bit_costs_one_reading_and_is_told()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await using var load = await KilledWithAFullLogAsync(postgres, platform);

        var segment = LogSegment.LastOf(platform.DataDirectory);
        // Of those that came while PostgreSQL was away, and far from the last group.
        var hit = segment.Records[^2_500];
        segment.Flip(hit.PayloadOffset + hit.PayloadLength - 3, bit: 2);

        await postgres.StartAsync();
        await platform.StartAsync();
        var verdict = await Oracle.SettledAsync(postgres.ConnectionString, load.Devices, gone: hit.Name);
        Assert.Equal([hit.Name], verdict.Lost);
        Assert.True((verdict with { Lost = [] }).IsClean, verdict.ToString());

        var (status, description) = await platform.IngestHealthAsync();
        Assert.Equal("degraded", status);
        Assert.Contains("1 records were damaged on disk", description, StringComparison.Ordinal);
        var line = Assert.Single(platform.Output.Split('\n'), l => l.Contains("Ingest log damaged", StringComparison.Ordinal));
        Assert.Contains(Path.GetFileName(segment.Path), line, StringComparison.Ordinal);
        Assert.Contains($"sequences {hit.Sequence} to {hit.Sequence} are lost", line, StringComparison.Ordinal);

        await SendAsync(platform, load.Devices[0], 20);
        verdict = await Oracle.SettledAsync(postgres.ConnectionString, load.Devices, gone: hit.Name);
        Assert.Equal([hit.Name], verdict.Lost);
    }

    [Fact]
    public async Task A_query_right_after_a_start_sees_what_was_acknowledged_though_recovery_has_passed_over_many_numbers()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var numbers = new Numbers(await platform.NewDeviceAsync());
        await SendAsync(platform, numbers, 5);
        await platform.DrainedAsync();
        await platform.KillAsync();
        // What a large group leaves behind when it is cut off: it can have held 60,000 records.
        var segment = LogSegment.LastOf(platform.DataDirectory);
        segment.Overwrite(segment.End + 60_000 * 24, [1]);

        // Writers find the table locked, as they may find PostgreSQL busy after a start.
        await using var other = new Npgsql.NpgsqlConnection(postgres.ConnectionString);
        await other.OpenAsync(TestContext.Current.CancellationToken);
        await platform.StartAsync();
        await using (var transaction = await other.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await using (var locking = new Npgsql.NpgsqlCommand("lock table device_data in share mode", other, transaction))
                await locking.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            await SendAsync(platform, numbers, 1);
            var query = platform.Client.ReadAsync($"/api/v1/devices/{numbers.Device.Id}/data");
            await Eventually.TrueAsync(
                async () => await Support.Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from pg_locks where not granted") > 0, "a writer that waits");
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(6, (await query).Items.Count);
        }
    }

    /// <summary>PostgreSQL and host are down, and the log holds thousands of acknowledged readings that are nowhere else.</summary>
    private static async Task<Load> KilledWithAFullLogAsync(GivenPostgres postgres, Platform platform)
    {
        await postgres.StartAsync();
        await platform.StartAsync();
        var load = await Load.StartAsync(platform, CrashForm.Seed());
        await load.MoreAsync(200, "to begin with");
        await postgres.StopAsync();
        await load.MoreAsync(5_000, "while PostgreSQL is away");
        await platform.KillAsync();
        await load.StopAsync();
        return load;
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
