using System.Text.RegularExpressions;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Queries;
using IoT.Modules.Storage.Readings;
using IoT.Modules.Storage.Summaries;
using IoT.Tests.Storage.Database;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Readings;

/// <summary>What the platform asks is found by the index of series, whatever PostgreSQL knows of the table.</summary>
public sealed partial class SeriesIndexTests(UpgradeServer server) : IClassFixture<UpgradeServer>
{
    // 90 series, taken in turns; some three readings of each of the same time.
    internal const string Fill =
        """
        insert into devices (id, external_id, location) select md5('d' || n)::uuid, 'd' || n, 'hall' from generate_series(0, 29) n;
        insert into device_data (device_id, timestamp, data_type, payload)
        select md5('d' || n % 30)::uuid, timestamptz '2026-10-20Z' + n / 300 * interval '100 minutes', 't' || n / 30 % 3, jsonb_build_object('n', n) from generate_series(0, 59999) n;
        insert into device_series select device_id, data_type, date_bin('1 hour', max(timestamp), '2000-01-01Z') from device_data group by 1, 2
        on conflict (device_id, data_type) do update set newest_hour = excluded.newest_hour;
        """;

    private const string Devices = "array[md5('d3')::uuid, md5('d7')::uuid, md5('d20')::uuid]";

    private static readonly (string Name, string Type, string Value)[] Values =
    [
        ("Uuid", "uuid", "md5('d7')::uuid"), ("DataType", "text", "'t1'"), ("From", "timestamptz", "'-infinity'"), ("To", "timestamptz", "'9999-12-31Z'"),
        ("AfterTimestamp", "timestamptz", "'9999-12-31Z'"), ("AfterId", "bigint", "9223372036854775807"), ("Count", "bigint", "101"), ("Most", "bigint", "500001"),
        ("Devices", "uuid[]", Devices), ("Types", "varchar[]", "array_fill('t2'::varchar, array[3])"),
        ("AfterTimestamps", "timestamptz[]", "array_fill('9999-12-31Z'::timestamptz, array[3])"), ("AfterIds", "bigint[]", "array_fill(9223372036854775807, array[3])"),
        ("Untils", "timestamptz[]", "array_fill('2026-11-01Z'::timestamptz, array[3])"), ("Ids", "text[]", "null"), ("Location", "text", "'hall'"), ("Type", "text", "null"), ("AfterDevice", "text", "null"), ("AfterType", "text", "null"),
        ("1", "uuid", "'00000000-0000-0000-0000-000000000000'"), ("2", "uuid", "'7fffffff-ffff-ffff-ffff-ffffffffffff'"), ("3", "timestamptz", "'2026-11-01Z'"), ("4", "timestamptz", "'2026-12-01Z'"),
    ];

    private static readonly (string Name, string Sql)[] Statements =
    [
        ("history of a data_type", GetHistoryHandler.OneType), ("history", GetHistoryHandler.AllTypes),
        ("readings", $"{ReadingsOfSeries.Sql} order by timestamp desc, id desc limit @Count"), ("stream", $"{ReadingsOfSeries.Sql} limit @Count"),
        ("latest of devices", GetLatestOfDevicesHandler.Sql.Replace("@DataType", "null", StringComparison.Ordinal)),
        ("latest that is left", Latest.LeftSql), ("chart", GetChartHandler.RawSql), ("rebuild", NumberedParameter().Replace(SummaryRebuild.Readings, "@$1")),
        ("readings_of", "select * from readings_of('d7', '2026-10-25Z', '2026-10-26Z', 't1')"), ("readings_of all", "select * from readings_of('d7', now() - interval '1000 days')"),
        ("reading_series", "select * from device_data where reading_series(device_id, data_type) = reading_series(@Uuid, 't1') and timestamp > '2026-10-25Z'"),
    ];

    // Where much of a series may be read, PostgreSQL may put the places in the order of the table first.
    private static readonly string[] MayBeBitmaps = ["chart", "rebuild", "readings_of", "readings_of all", "reading_series"];

    [Fact]
    public async Task Every_question_is_answered_by_an_index_before_during_and_after_the_old_one_is_replaced()
    {
        var database = await server.DatabaseAsync("series", 22);
        await Support.Database.RunAsync(database, Fill);
        await UpgradeTests.MigrateAsync(database);
        await ExplainAsync(database, "_idx", all: false);

        // Killed in the middle of the second partition's.
        const string key = "((hashtextextended(data_type::text, uuid_hash_extended(device_id, 0))), timestamp) with (fillfactor = 100, deduplicate_items = off)";
        var migration = Migration.Known.Single(m => m.Name == "0024_series_index");
        await Support.Database.RunAsync(database,
            $"""
             create index device_data_by_series on only device_data {key};
             create index device_data_y2026m10_by_series on device_data_y2026m10 {key};
             create index device_data_y2026m11_by_series on device_data_y2026m11 {key};
             update pg_index set indisvalid = false where indexrelid = 'device_data_y2026m11_by_series'::regclass;
             insert into schema_migrations (version, name, checksum, unfinished_step) values ({migration.Version}, '{migration.Name}', '{migration.Checksum}', 1);
             """);
        await ExplainAsync(database, "_idx", all: false);

        await using (var pools = await UpgradeTests.OpenAsync(database))
            Assert.True(await UpgradeTests.MigratorOf(pools, null).ApplyBesideIngestAsync(TestContext.Current.CancellationToken));
        Assert.Equal("device_data_arrival device_data_by_series device_data_time", await Support.Database.ScalarAsync<string>(
            database, "select string_agg(indexrelid::regclass::text, ' ' order by 1) from pg_index where indrelid = 'device_data'::regclass and indisvalid"));
        Assert.Equal(2, await Support.Database.ScalarAsync<long>(database, "select count(*) from pg_index where indexrelid::regclass::text like '%\\_by\\_series' and indrelid <> 'device_data'::regclass and indisvalid"));
        Assert.False(await Support.Database.ScalarAsync<bool>(database, "select exists (select 1 from pg_indexes where indexname ~ 'device_data.*_idx')"));
        await ExplainAsync(database, "_by_series", all: true);
    }

    [Fact]
    public async Task Another_series_with_the_same_key_is_not_taken_for_it()
    {
        var database = await server.DatabaseAsync("keys", 25);
        await Support.Database.RunAsync(database, Fill);
        await using var connection = new NpgsqlConnection(database);
        foreach (var (name, sql) in Statements.Take(8))
        {
            var rows = await HashAsync(sql);
            Assert.NotNull(rows);
            // As if all had one.
            Assert.Contains(Series.SameKey, sql, StringComparison.Ordinal);
            Assert.True(rows == await HashAsync(sql.Replace(Series.SameKey, "true", StringComparison.Ordinal)), name);
        }

        // Which two of those of the newest time show that there are several is all the same.
        static string Answer(string sql) => sql.Contains("series_type", StringComparison.Ordinal) ? $"select distinct external_id, series_type, timestamp from ({sql}) latest" : sql;

        Task<string?> HashAsync(string sql) => connection.ExecuteScalarAsync<string>(
            $"select md5(string_agg(answer::text, E'\n' order by answer::text)) from ({Name().Replace(Answer(sql), match => $"({Values.Single(v => v.Name == match.Groups[1].Value).Value})::{Values.Single(v => v.Name == match.Groups[1].Value).Type}")}) answer");
    }

    [Fact]
    public async Task Pages_end_among_readings_of_the_same_time_and_show_each_once()
    {
        var database = await server.DatabaseAsync("ties", 25);
        await Support.Database.RunAsync(database, Fill);
        DefaultTypeMap.MatchNamesWithUnderscores = true; // As the module sets it.
        await using var connection = new NpgsqlConnection(database);
        var device = await connection.ExecuteScalarAsync<Guid>("select md5('d7')::uuid");
        foreach (var (type, sql, count) in new[] { ("t1", GetHistoryHandler.OneType, 667), (null, GetHistoryHandler.AllTypes, 2000) })
        {
            var seen = new List<Series.Row>();
            for (var page = 0; page < 2 * count; page++)
            {
                HistoryCursor? after = seen.Count == 0 ? null : new HistoryCursor(seen[^1].Timestamp, seen[^1].Id);
                var parameters = GetHistoryHandler.ParametersOf(device, type, null, null, after, 7);
                var rows = (await connection.QueryAsync<Series.Row>(sql, parameters)).AsList();
                seen.AddRange(rows);
                if (rows.Count < 7)
                    break;
            }
            Assert.InRange(seen.Count, count - 1, count);
            Assert.Equal(await connection.ExecuteScalarAsync<long>($"select count(*) from device_data where device_id = md5('d7')::uuid {(type is null ? "" : "and data_type = 't1'")}"), seen.Count);
            Assert.Equal(seen.Count, seen.Select(row => row.Id).Distinct().Count());
            Assert.Equal(seen.Select(row => (row.Timestamp, row.Id)).OrderDescending(), seen.Select(row => (row.Timestamp, row.Id)));
        }
    }

    /// <summary>Their plans, made for the values at hand and for any, before the table was looked through and after.</summary>
    private static async Task ExplainAsync(string database, string index, bool all)
    {
        await using var connection = new NpgsqlConnection(database + ";Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        foreach (var isAnalyzed in new[] { false, true })
        {
            if (isAnalyzed)
                await connection.ExecuteAsync("vacuum analyze");
            foreach (var mode in new[] { "force_custom_plan", "force_generic_plan" })
            {
                await connection.ExecuteAsync($"set plan_cache_mode = {mode}");
                foreach (var (name, sql) in Statements.Take(all ? Statements.Length : 8))
                {
                    var used = Values.Where(v => Regex.IsMatch(sql, $@"@{v.Name}\b")).ToList();
                    var numbered = Name().Replace(sql, match => $"${used.FindIndex(v => v.Name == match.Groups[1].Value) + 1}");
                    await connection.ExecuteAsync($"prepare question{(used.Count == 0 ? "" : $" ({string.Join(", ", used.Select(v => v.Type))})")} as {numbered}");
                    var plan = string.Join('\n', await connection.QueryAsync<string>($"explain execute question{(used.Count == 0 ? "" : $" ({string.Join(", ", used.Select(v => v.Value))})")}"));
                    await connection.ExecuteAsync("deallocate question");
                    var isGood = plan.Contains(index, StringComparison.Ordinal) && !plan.Contains("Seq Scan on device_data", StringComparison.Ordinal)
                        && (MayBeBitmaps.Contains(name) || !plan.Contains("Bitmap Heap Scan on device_data", StringComparison.Ordinal));
                    Assert.True(isGood, $"{name}, {mode}, {(isAnalyzed ? "analyzed" : "not analyzed")}:\n{plan}");
                }
            }
        }
    }

    [GeneratedRegex(@"@(\w+)\b")]
    private static partial Regex Name();

    [GeneratedRegex(@"\$(\d)")]
    private static partial Regex NumberedParameter();
}
