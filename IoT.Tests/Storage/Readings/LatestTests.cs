using Dapper;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using IoT.Modules.Storage.Readings;
using IoT.Tests.Storage.Database;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Readings;

/// <summary>"Latest" is exact wherever it begins to look, and the place where it begins follows the readings.</summary>
public sealed class LatestTests(UpgradeServer server) : IClassFixture<UpgradeServer>
{
    private static readonly DateTime Hour = new(2026, 11, 20, 10, 0, 0, DateTimeKind.Utc);

    // 90 series with several readings of each time. Those that were changed lie behind the others now: the order of rows is not that of ids.
    private const string Prepare = SeriesIndexTests.Fill + "update device_data set status = 'moved' where id / 90 % 2 = 0;";

    private const string Expected =
        """
        select string_agg(r.external_id || ' ' || r.data_type || ' ' || r.id, ',' order by r.external_id collate "C", r.data_type collate "C") from (
            select distinct on (d.external_id, r.data_type) d.external_id, r.data_type, r.id
            from device_data r join devices d on d.id = r.device_id order by d.external_id, r.data_type, r.timestamp desc, r.id desc) r
        """;

    [Fact]
    public async Task Of_several_of_the_newest_time_it_is_the_one_that_came_last_wherever_the_look_begins()
    {
        var database = await server.DatabaseAsync("latest", 25);
        await Support.Database.RunAsync(database, Prepare);
        await using var pools = await UpgradeTests.OpenAsync(database);
        pools.MarkReady();
        DefaultTypeMap.MatchNamesWithUnderscores = true; // As the module sets it.
        using var meters = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var queries = new QueryLog(pools, new StorageOptions(), meters.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), TimeProvider.System, NullLogger<QueryLog>.Instance);
        var handler = new GetLatestOfDevicesHandler(queries, new SeriesOf(queries, new DeviceDirectory()));
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select min(n) > 1 from (select count(*) as n from device_data r join (select device_id, data_type, max(timestamp) as at from device_data group by 1, 2) m using (device_id, data_type) where timestamp = at and device_id = md5('d7')::uuid group by data_type) t"));

        foreach (var begin in new[]
                 {
                     "set newest_at = null",
                     "set newest_at = (select max(timestamp) from device_data r where r.device_id = s.device_id and r.data_type = s.data_type)",
                     "set newest_at = (select timestamp from device_data r where r.device_id = s.device_id and r.data_type = s.data_type order by timestamp desc offset 9 limit 1)",
                     "set newest_at = newest_hour - interval '3 days'",
                 })
        {
            await Support.Database.RunAsync(database, $"update device_series s {begin}");
            await AssertSameAsync();
        }

        // Taken away by hand: of some series what is at the place or after it, of others all.
        await Support.Database.RunAsync(database,
            """
            update device_series s set newest_at = (select max(timestamp) from device_data r where r.device_id = s.device_id and r.data_type = s.data_type);
            delete from device_data r using device_series s where s.device_id = r.device_id and s.data_type = r.data_type and s.data_type = 't1' and r.timestamp >= s.newest_at - interval '10 minutes';
            delete from device_data where data_type = 't2' and device_id < '8';
            """.Replace("'8'", "'80000000-0000-0000-0000-000000000000'", StringComparison.Ordinal));
        await AssertSameAsync();
        // By the statement's rule, learning again takes nothing back.
        await Support.Database.RunAsync(database, "select learn_device_series()");
        await AssertSameAsync();

        async Task AssertSameAsync()
        {
            foreach (var limit in new[] { 1_000, 7 })
            {
                var seen = new List<StoredReading>();
                for (SeriesCursor? after = null; ;)
                {
                    var page = (await handler.Handle(new GetLatestOfDevices(new DeviceFilter(), null, after, limit), TestContext.Current.CancellationToken)).Value;
                    seen.AddRange(page.Items);
                    if (page.NextCursor is null)
                        break;
                    Assert.True(SeriesCursor.TryParse(page.NextCursor, out var next));
                    after = next;
                }
                Assert.Equal(await Support.Database.ScalarAsync<string>(database, Expected), string.Join(',', seen.Select(r => $"{r.DeviceId} {r.DataType} {r.Id}")));
            }
        }
    }

    [Fact]
    public async Task The_place_is_written_behind_when_enough_has_come_and_waits_for_nobody()
    {
        var database = await server.DatabaseAsync("places", 25);
        await using var pools = await UpgradeTests.OpenAsync(database);
        pools.MarkReady();
        var series = new DeviceSeries();
        using var flusher = new SeriesFlusher(pools, new StorageReadiness(), series, TimeProvider.System, NullLogger<SeriesFlusher>.Instance);
        var device = new DeviceDirectory().FindOrAdd("places-1");

        await StoreAsync(Of("a", 0), Of("b", 30));
        Assert.Equal((Hour, Hour.AddSeconds(30)), (await AtAsync("a"), await AtAsync("b")));
        // In the same hour nothing is written with the readings, and late ones don't count.
        await StoreAsync([.. Enumerable.Range(1, 15).Select(n => Of("a", n)), .. Enumerable.Range(0, 29).Select(n => Of("b", n))]);
        await FlushAsync();
        Assert.Equal((Hour, Hour.AddSeconds(30)), (await AtAsync("a"), await AtAsync("b")));
        await StoreAsync(Of("a", 12));
        await FlushAsync();
        Assert.Equal(Hour.AddSeconds(15), await AtAsync("a"));

        // A batch that is at the series isn't waited for; the next readings bring it again.
        await using (var connection = await pools.Write.OpenConnectionAsync(TestContext.Current.CancellationToken))
        await using (var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await connection.ExecuteAsync("update device_series set newest_hour = newest_hour where data_type = 'a'", transaction: transaction);
            await StoreAsync([.. Enumerable.Range(20, 16).SelectMany(n => new[] { Of("a", n), Of("b", n + 40) })]);
            await FlushAsync();
            Assert.Equal((Hour.AddSeconds(15), Hour.AddSeconds(75)), (await AtAsync("a"), await AtAsync("b")));
        }
        await StoreAsync([.. Enumerable.Range(40, 16).Select(n => Of("a", n))]);
        await FlushAsync();
        Assert.Equal(Hour.AddSeconds(55), await AtAsync("a"));

        // A later hour is written with its reading; an earlier one changes nothing, also when nothing is known any more.
        await StoreAsync(Of("a", 3_601));
        Assert.Equal(Hour.AddSeconds(3_601), await AtAsync("a"));
        (series, device) = (new DeviceSeries(), new DeviceDirectory().FindOrAdd("places-1"));
        await StoreAsync(Of("a", 60));
        Assert.Equal(Hour.AddSeconds(3_601), await AtAsync("a"));
        Assert.Equal(Hour.AddHours(1), await Support.Database.ScalarAsync<DateTime>(database, "select newest_hour from device_series where data_type = 'a' and device_id = $1", device.Uuid));

        Reading Of(string type, int second) => new(device, Hour.AddSeconds(second), type, "{}"u8.ToArray());

        Task FlushAsync() => flusher.FlushAsync(TestContext.Current.CancellationToken);

        Task<DateTime> AtAsync(string type) => Support.Database.ScalarAsync<DateTime>(database, "select newest_at from device_series where data_type = $1 and device_id = $2", type, device.Uuid);

        async Task StoreAsync(params Reading[] readings)
        {
            await using var connection = await pools.Write.OpenConnectionAsync(TestContext.Current.CancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            var unknown = await series.InsertAsync(connection, transaction, readings, TestContext.Current.CancellationToken);
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
            series.Know(unknown, readings);
        }
    }
}
