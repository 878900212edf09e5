using System.Globalization;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Database;

/// <summary>One PostgreSQL for all upgrades; each has a database of its own in it.</summary>
public sealed class UpgradeServer : IAsyncLifetime
{
    private GivenPostgres? _postgres;

    public async ValueTask InitializeAsync()
    {
        _postgres = await GivenPostgres.MakeAsync();
        await _postgres.StartAsync();
    }

    /// <summary>A new database, with the schema and the data of that version unless it is 0.</summary>
    public async Task<string> DatabaseAsync(string name, int version)
    {
        var admin = _postgres!.ConnectionString + ";Pooling=false";
        await Support.Database.RunAsync(admin, $"drop database if exists {name}");
        await Support.Database.RunAsync(admin, $"create database {name}");
        var database = new NpgsqlConnectionStringBuilder(admin) { Database = name }.ConnectionString;
        if (version > 0)
            await Support.Database.RunAsync(database, await File.ReadAllTextAsync(UpgradeTests.FixtureOf(version), TestContext.Current.CancellationToken));
        return database;
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
            await _postgres.DisposeAsync();
    }
}

/// <summary>From every schema that there was, with data in it (<c>Schemas/</c>, dumped by pg_dump at that version), to the newest.</summary>
public sealed class UpgradeTests(UpgradeServer server) : IClassFixture<UpgradeServer>
{
    // What a database is made of, but for the order of columns.
    private const string Shape =
        """
        select string_agg(line, E'\n' order by line) from (
            select format('column %s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default, collation_name) as line
            from information_schema.columns where table_schema = 'public'
            union all select format('index %s', indexdef) from pg_indexes where schemaname = 'public'
            union all select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint where connamespace = 'public'::regnamespace
            union all select format('view %s %s', viewname, definition) from pg_views where schemaname = 'public'
            union all select format('function %s', pg_get_functiondef(oid)) from pg_proc where pronamespace = 'public'::regnamespace
            union all select format('options %s %s', relname, reloptions) from pg_class where relnamespace = 'public'::regnamespace and reloptions is not null
        ) lines where line !~ '_y2026m|message_ids_p1'
        """;

    public static string FixtureOf(int version) =>
        Path.Combine(Repository.Root, "IoT.Tests", "Storage", "Database", "Schemas", version.ToString("0000'.sql'", CultureInfo.InvariantCulture));

    public static TheoryData<int> Versions => [.. Directory.EnumerateFiles(Path.GetDirectoryName(FixtureOf(1))!, "*.sql").Select(file => int.Parse(Path.GetFileNameWithoutExtension(file), CultureInfo.InvariantCulture)).Order()];

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task An_earlier_schema_becomes_the_newest_and_keeps_its_data(int version)
    {
        var fresh = await server.DatabaseAsync($"fresh{version}", 0);
        await MigrateWithStepsAsync(fresh);
        var database = await server.DatabaseAsync($"upgrade{version}", version);
        await MigrateWithStepsAsync(database);

        Assert.Equal(await Support.Database.ScalarAsync<string>(fresh, Shape), await Support.Database.ScalarAsync<string>(database, Shape));
        Assert.Equal(Migration.Known.Count, await Support.Database.ScalarAsync<long>(database, "select count(*) from schema_migrations where checksum is not null and unfinished_step is null"));
        Assert.Equal(100, await Support.Database.ScalarAsync<long>(database, "select count(*) from device_data"));
        Assert.Equal(99 / 8.0, await Support.Database.ScalarAsync<double>(database, "select (payload->>'t')::float8 from device_data order by timestamp desc limit 1"));
        Assert.Equal(2, await Support.Database.ScalarAsync<long>(database, "select count(*) from people"));
        Assert.Equal("2", await Support.Database.ScalarAsync<string>(database, "select labels->>'line' from devices where external_id = 'press-1'"));
        // The newest reading of each series is in the hour that is written down for it.
        Assert.Equal(4, await Support.Database.ScalarAsync<long>(database,
            "select count(*) from device_series s join (select device_id, data_type, max(timestamp) as newest from device_data group by 1, 2) r using (device_id, data_type) where date_bin('1 hour', newest, '2000-01-01+00') = newest_hour"));
        if (version >= 2)
        {
            Assert.Equal(238, await Support.Database.ScalarAsync<long>(database, "select sum(position)::bigint from ingest_checkpoint"));
            Assert.Equal(1.0, await Support.Database.ScalarAsync<double>(database, "select coalesce(convert_from(bytes, 'UTF8')::jsonb->'payload'->>'t', convert_from(bytes, 'UTF8')::jsonb->>'t')::float8 from quarantine"));
        }
        if (version >= 3)
            Assert.Equal(2, await Support.Database.ScalarAsync<long>(database, "select count(*) from message_ids"));
        Assert.Equal(100, await Support.Database.ScalarAsync<long>(database, "select sum(stored)::bigint from device_ledger"));
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select needs_rebuild from summary_state"));

        // Once more changes nothing.
        await MigrateAsync(database);
        Assert.Equal(await Support.Database.ScalarAsync<string>(fresh, Shape), await Support.Database.ScalarAsync<string>(database, Shape));
    }

    [Fact]
    public void There_are_data_of_every_schema_that_was_released() => Assert.Equal(Migration.Known.Select(migration => migration.Version), Versions.Select(row => row.Data));

    [Fact]
    public async Task A_migration_that_fails_leaves_the_schema_before_it()
    {
        var database = await server.DatabaseAsync("failing", 4);
        Migration failing = new(9_000, "9000_failing", "create table half (n int); insert into half values (1/0)");
        var exception = await Assert.ThrowsAsync<PostgresException>(() => MigrateAsync(database, [.. Migration.Known, failing]));
        Assert.Equal(PostgresErrorCodes.DivisionByZero, exception.SqlState);
        Assert.False(await Support.Database.ScalarAsync<bool>(database, "select to_regclass('half') is not null or exists (select 1 from schema_migrations where version = 9000)"));
        await MigrateAsync(database);
    }

    [Fact]
    public async Task One_that_was_added_later_with_a_lower_number_is_applied()
    {
        var database = await server.DatabaseAsync("gap", 8);
        Migration low = new(9_001, "9001_low", "create table low (n int)"), high = new(9_005, "9005_high", "create table high (n int)");
        await MigrateAsync(database, [.. Migration.Known, high]);
        await MigrateAsync(database, [.. Migration.Known, low, high]);
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select to_regclass('low') is not null"));
        var refused = await Assert.ThrowsAsync<StartupException>(() => MigrateAsync(database, [.. Migration.Known, low]));
        Assert.Contains("9005", refused.Message, StringComparison.Ordinal);
        refused = await Assert.ThrowsAsync<StartupException>(() => MigrateAsync(database, [.. Migration.Known, high]));
        Assert.Contains("9001", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_edited_one_is_refused_but_comments_and_blanks_may_change()
    {
        var database = await server.DatabaseAsync("edited", 8);
        await MigrateAsync(database, [.. Migration.Known, new(9_000, "9000_it", "create table it (n int)")]);
        await MigrateAsync(database, [.. Migration.Known, new(9_000, "9000_it", "-- What it is for.\ncreate table it\n  (n int)\n")]);
        var refused = await Assert.ThrowsAsync<StartupException>(() => MigrateAsync(database, [.. Migration.Known, new(9_000, "9000_it", "create table it (n bigint)")]));
        Assert.Contains("9000", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Steps_beside_ingest_go_on_from_where_they_were_left_half_done()
    {
        const string sql =
            """
            -- beside ingest
            -- indexes device_data
            -- step
            create index if not exists device_data_id on only device_data (id);
            -- step for each partition of device_data without device_data_id
            create index concurrently if not exists {partition}_id on {partition} (id);
            -- step
            do $$ declare name text; begin
                for name in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'device_data'::regclass loop
                    execute format('alter index device_data_id attach partition %I', name || '_id');
                end loop;
            end $$;
            -- step
            alter table device_data detach partition device_data_y2026m10 concurrently;
            """;
        var migration = new Migration(9_000, "9000_steps", sql);
        Assert.Equal((4, "device_data", "device_data_id"), (migration.Steps.Count, migration.Steps[1].Table, migration.Steps[1].Without));
        var database = await server.DatabaseAsync("steps", 8);
        await MigrateAsync(database, [.. Migration.Known, migration]);
        Assert.False(await Support.Database.ScalarAsync<bool>(database, "select exists (select 1 from schema_migrations where version = 9000)"));

        // Killed in the middle of the second index: it is there and not valid.
        await Support.Database.RunAsync(database,
            $"""
             create index device_data_id on only device_data (id);
             create index device_data_y2026m10_id on device_data_y2026m10 (id);
             create index device_data_y2026m11_id on device_data_y2026m11 (id);
             update pg_index set indisvalid = false where indexrelid = 'device_data_y2026m11_id'::regclass;
             insert into schema_migrations (version, name, checksum, unfinished_step) values (9000, '9000_steps', '{migration.Checksum}', 1);
             """);
        var output = new StringWriter();
        await using (var pools = await OpenAsync(database))
        {
            Assert.True(await MigratorOf(pools, [.. Migration.Known, migration]).ApplyBesideIngestAsync(TestContext.Current.CancellationToken));
            Assert.True(await MigratorOf(pools, [.. Migration.Known, migration]).ApplyBesideIngestAsync(TestContext.Current.CancellationToken));
        }
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select bool_and(indisvalid) and count(*) = 3 from pg_index where indexrelid::regclass::text like 'device_data%_id'"));
        Assert.Equal(1, await Support.Database.ScalarAsync<long>(database, "select count(*) from pg_inherits where inhparent = 'device_data'::regclass"));
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select unfinished_step is null from schema_migrations where version = 9000"));
    }

    [Fact]
    public async Task A_partition_that_was_detached_by_half_is_detached_for_good()
    {
        var migration = new Migration(9_000, "9000_detach", "-- beside ingest\n-- step\nalter table device_data detach partition device_data_y2026m10 concurrently;\n");
        var database = await server.DatabaseAsync("detach", 8);
        await MigrateAsync(database);
        await using (var reader = new NpgsqlConnection(database))
        await using (var detaching = new NpgsqlConnection(database))
        {
            await reader.OpenAsync(TestContext.Current.CancellationToken);
            await detaching.OpenAsync(TestContext.Current.CancellationToken);
            await using var query = await reader.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var read = new NpgsqlCommand("select count(*) from device_data", reader, query);
            await read.ExecuteScalarAsync(TestContext.Current.CancellationToken);
            // It waits for the reader, and is killed there.
            await using var detach = new NpgsqlCommand("alter table device_data detach partition device_data_y2026m10 concurrently", detaching) { CommandTimeout = 0 };
            var waiting = detach.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<bool>(database, "select exists (select 1 from pg_inherits where inhdetachpending)"), "the first half");
            detach.Cancel();
            await Assert.ThrowsAsync<OperationCanceledException>(async () => await waiting);
        }
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select inhdetachpending from pg_inherits where inhrelid = 'device_data_y2026m10'::regclass"));
        await using (var pools = await OpenAsync(database))
            Assert.True(await MigratorOf(pools, [.. Migration.Known, migration]).ApplyBesideIngestAsync(TestContext.Current.CancellationToken));
        Assert.False(await Support.Database.ScalarAsync<bool>(database, "select exists (select 1 from pg_inherits where inhrelid = 'device_data_y2026m10'::regclass)"));
        Assert.True(await Support.Database.ScalarAsync<bool>(database, "select unfinished_step is null from schema_migrations where version = 9000"));
    }

    [Fact]
    public async Task One_session_at_a_time_changes_the_schema()
    {
        var database = await server.DatabaseAsync("alone", 8);
        await using var other = new NpgsqlConnection(database);
        await other.OpenAsync(TestContext.Current.CancellationToken);
        await using var take = new NpgsqlCommand($"select pg_advisory_lock({Migrator.AdvisoryLock})", other);
        await take.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        var migrating = MigrateAsync(database);
        await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<bool>(
            database, "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database()))"), "that it waits its turn");
        Assert.Equal(8, await Support.Database.ScalarAsync<int>(database, "select max(version) from schema_migrations"));
        await other.CloseAsync();
        await migrating;
        Assert.True(await Support.Database.ScalarAsync<int>(database, "select max(version) from schema_migrations") > 8);
    }

    [Fact]
    public async Task Preflight_says_what_would_be_done_and_changes_nothing()
    {
        var database = await server.DatabaseAsync("preflight", 4);
        var before = await Support.Database.ScalarAsync<string>(database, Shape);
        var output = new StringWriter();
        Assert.Equal(0, await Preflight.LookAsync(database, output, TestContext.Current.CancellationToken));
        Assert.Contains("0005_device_ledger: before the host is ready, in one transaction; reads device_data", output.ToString(), StringComparison.Ordinal);
        Assert.Matches(@"0024_series_index: beside ingest, after the start; locks others out for at most 2 s at a time; indexes device_data \(\d+ MiB, about \d+ rows, 2 partitions\), a moment", output.ToString());
        Assert.Contains("Until the host is ready: a moment. Devices wait that long", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("0004", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(before, await Support.Database.ScalarAsync<string>(database, Shape));

        await Support.Database.RunAsync(database, "insert into schema_migrations (version, name) values (9999, 'from the future')");
        output = new StringWriter();
        Assert.Equal(1, await Preflight.LookAsync(database, output, TestContext.Current.CancellationToken));
        Assert.Contains("9999", output.ToString(), StringComparison.Ordinal);
    }

    internal static async Task MigrateAsync(string database, IReadOnlyList<Migration>? known = null)
    {
        await using var pools = await OpenAsync(database);
        await MigratorOf(pools, known).ApplyAsync(TestContext.Current.CancellationToken);
    }

    private static async Task MigrateWithStepsAsync(string database)
    {
        await MigrateAsync(database);
        await using var pools = await OpenAsync(database);
        Assert.True(await MigratorOf(pools, null).ApplyBesideIngestAsync(TestContext.Current.CancellationToken));
    }

    internal static Migrator MigratorOf(PostgresPools pools, IReadOnlyList<Migration>? known) =>
        new(pools, TimeProvider.System, NullLogger<Migrator>.Instance) { Known = known ?? Migration.Known };

    internal static Task<PostgresPools> OpenAsync(string database)
    {
        var pools = new PostgresPools(new StorageOptions());
        pools.Open(new NpgsqlConnectionStringBuilder(database) { Pooling = true }.ConnectionString, database);
        return Task.FromResult(pools);
    }
}
