using System.Globalization;
using IoT.Tests.Support;
using Npgsql;
using Xunit;

namespace IoT.Tests.Gateway.Backup;

/// <summary>scripts/backup and scripts/restore, as an operator runs them.</summary>
public sealed class BackupTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 10, 30, 0, 0, 0, TimeSpan.Zero);
    private readonly string _folder = Directory.CreateTempSubdirectory("iot-backup-").FullName;

    private string File => Path.Combine(_folder, "backup.iot");

    [Fact]
    public async Task A_backup_of_a_running_system_restored_into_an_empty_one_has_everything_that_was_acknowledged()
    {
        await using var original = new Platform();
        await original.StartAsync();
        var device = await original.NewDeviceAsync();
        Assert.Equal(200, (await original.Client.PostReadingAsync(Readings(device.Id, 0, 300))).Status);
        // To the quarantine: MQTT 3.1.1 can't be told.
        await MqttAsync(original, "mosquitto_pub", "-V", "311", "-u", device.Id, "-P", device.Token, "-t", device.Topic, "-m", "not a reading");
        // A session that is away, what waits for it, and a retained message.
        await MqttAsync(original, "mosquitto_sub", "-u", "admin", "-P", Platform.AdminKey, "-i", "away", "-c", "-t", "lab/#", "-E");
        await MqttAsync(original, "mosquitto_pub", "-u", "admin", "-P", Platform.AdminKey, "-t", "lab/waits", "-m", "waits");
        await MqttAsync(original, "mosquitto_pub", "-u", "admin", "-P", Platform.AdminKey, "-t", "other/kept", "-m", "kept", "-r");
        Assert.Equal(300, await original.StoredAsync(device.Id));

        await using (var blocker = new NpgsqlConnection(original.ConnectionString))
        {
            await blocker.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await blocker.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var hold = new NpgsqlCommand("lock table device_data in share row exclusive mode", blocker, transaction);
            await hold.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            // Nothing can be stored now: these are in the log alone.
            Assert.Equal(200, (await original.Client.PostReadingAsync(Readings(device.Id, 300, 340))).Status);
            var made = await ScriptAsync("backup", original);
            Assert.True(made.ExitCode == 0, made.ToString());
        }
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File));
        Assert.Equal([File], Directory.EnumerateFileSystemEntries(_folder));
        Assert.False(Directory.Exists(Path.Combine(original.DataDirectory, "backup-work")));
        // Acknowledged after it: not in it.
        Assert.Equal(200, (await original.Client.PostReadingAsync(Readings(device.Id, 340, 350))).Status);
        Assert.Equal(350, await original.StoredAsync(device.Id));
        var before = await FiguresAsync(original, device.Id, Start.AddMinutes(340));
        var rows = await original.ScalarAsync<string>(Rows);
        foreach (var kind in new[] { "reading ", "series ", "device ", "message ", "person ", "quarantine ", "index device_data_by_series t ", "migration " })
            Assert.Contains('\n' + kind, rows, StringComparison.Ordinal);
        await original.StopAsync();

        await using var restored = new Platform();
        var done = await ScriptAsync("restore", restored);
        Assert.True(done.ExitCode == 0, done.ToString());
        await restored.StartAsync();
        Assert.Equal(340, await restored.StoredAsync(device.Id));
        Assert.Equal(before, await FiguresAsync(restored, device.Id, DateTimeOffset.MaxValue));
        Assert.Equal(rows!.Split('\n'), (await restored.ScalarAsync<string>(Rows))!.Split('\n'));
        var ledger = (await restored.Client.ReadAsync($"/api/v1/ledger?device_id={device.Id}")).Items.Single();
        Assert.Equal((341, 340, 1), (ledger.GetProperty("received").GetInt64(), ledger.GetProperty("stored").GetInt64(), ledger.GetProperty("quarantined").GetInt64()));
        // Ids of messages are known, tokens hold, the session is there.
        Assert.Equal(200, (await restored.As(device.Token).PostReadingAsync(Readings(device.Id, 0, 340))).Status);
        Assert.Equal(340, await restored.StoredAsync(device.Id));
        Assert.Contains("lab/waits waits", (await MqttAsync(restored, "mosquitto_sub", "-u", "admin", "-P", Platform.AdminKey, "-i", "away", "-c", "-t", "lab/#", "-C", "1", "-v")).Output, StringComparison.Ordinal);
        Assert.Contains("other/kept kept", (await MqttAsync(restored, "mosquitto_sub", "-u", "admin", "-P", Platform.AdminKey, "-t", "other/#", "-C", "1", "-v")).Output, StringComparison.Ordinal);
        await restored.StopAsync();

        var again = await ScriptAsync("restore", restored);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("There is an ingest log", again.Error, StringComparison.Ordinal);
        Directory.Move(Path.Combine(restored.DataDirectory, "ingest"), Path.Combine(_folder, "ingest"));
        Directory.Move(Path.Combine(restored.DataDirectory, "mqtt"), Path.Combine(_folder, "mqtt"));
        again = await ScriptAsync("restore", restored);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("tables in the database", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restored_database_beside_a_log_that_has_moved_on_is_refused_with_instructions_and_a_whole_restore_is_not()
    {
        await using var given = await GivenPostgres.MakeAsync();
        await given.StartAsync();
        await RunSqlAsync(given, "create database first", "create database second", "create database third");
        await using var platform = new Platform(("ConnectionStrings__Postgres", Of(given, "first")));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.Client.PostReadingAsync(Readings(device.Id, 0, 10))).Status);
        var made = await ScriptAsync("backup", platform, $"--ConnectionStrings:Postgres={Of(given, "first")}");
        Assert.True(made.ExitCode == 0, made.ToString());
        // More than a segment of the log, so that the first of them goes.
        var text = new string('x', 100_000);
        for (var n = 0; n < 4; n++)
        {
            var batch = $"[{string.Join(",", Enumerable.Range(0, 40).Select(i => $$$"""{"device_id":"{{{device.Id}}}","data_type":"large","payload":{"n":"{{{n}}}-{{{i}}}{{{text}}}"}}"""))}]";
            Assert.Equal(200, (await platform.Client.PostReadingAsync(batch)).Status);
        }
        var log = Path.Combine(platform.DataDirectory, "ingest");
        await Eventually.TrueAsync(async () =>
        {
            // The positions of lanes without readings are written when others move on.
            Assert.Equal(200, (await platform.Client.PostReadingAsync($$"""{"device_id":"{{device.Id}}","data_type":"later","payload":{} }""")).Status);
            return !System.IO.File.Exists(Path.Combine(log, "00000000000000000001.log"));
        }, "the first segment's end");
        await platform.StopAsync();

        // As somebody does who has the dump alone.
        Assert.Equal(0, (await ClientTool.RunAsync("tar", "-xzf", File, "-C", _folder, "database.dump")).ExitCode);
        var uri = new NpgsqlConnectionStringBuilder(given.ConnectionString);
        Assert.Equal(0, (await ClientTool.RunAsync("pg_restore", "--no-owner", "-d", $"postgresql://{uri.Username}:{uri.Password}@{uri.Host}:{uri.Port}/second", Path.Combine(_folder, "database.dump"))).ExitCode);
        platform.Set("ConnectionStrings__Postgres", Of(given, "second"));
        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());
        var told = platform.Output + platform.Errors;
        Assert.Contains("seems to be restored from an older backup", told, StringComparison.Ordinal);
        Assert.Contains("Restore the log of that backup too", told, StringComparison.Ordinal);

        // The backup as a whole, into an empty directory and an empty database.
        await using var restored = new Platform(("ConnectionStrings__Postgres", Of(given, "third")));
        var third = $"--ConnectionStrings:Postgres={Of(given, "third")}";
        var damaged = await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken);
        // One bit alone may stand where nothing depends on it: in what fills up a block.
        for (var i = 0; i < 1024; i++)
            damaged[damaged.Length / 2 + i] ^= 0x10;
        await System.IO.File.WriteAllBytesAsync(File + ".damaged", damaged, TestContext.Current.CancellationToken);
        var refused = await ScriptAsync("restore", restored, ".damaged", third);
        Assert.Equal(1, refused.ExitCode);
        Assert.Equal(0L, await Database.ScalarAsync<long>(Of(given, "third"), "select count(*) from pg_tables where schemaname = 'public'"));

        var done = await ScriptAsync("restore", restored, third);
        Assert.True(done.ExitCode == 0, done.ToString());
        await restored.StartAsync();
        Assert.Equal(10, (await restored.Client.ReadAsync($"/api/v1/devices/{device.Id}/data")).Items.Count);
        await restored.StopAsync();

        // One that ended in the middle.
        await System.IO.File.WriteAllTextAsync(Path.Combine(restored.DataDirectory, "restore-unfinished"), File, TestContext.Current.CancellationToken);
        await restored.LaunchAsync();
        Assert.Equal(1, await restored.ExitAsync());
        Assert.Contains("did not come to its end", restored.Output + restored.Errors, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Of(GivenPostgres given, string database) => given.ConnectionString.Replace("Database=postgres", $"Database={database};Pooling=false", StringComparison.Ordinal);

    private static async Task RunSqlAsync(GivenPostgres given, params string[] statements)
    {
        foreach (var sql in statements)
            await Database.RunAsync(given.ConnectionString + ";Pooling=false", sql);
    }

    private static string Readings(string device, int from, int to) =>
        $"[{string.Join(",", Enumerable.Range(from, to - from).Select(n => string.Create(CultureInfo.InvariantCulture,
            $$"""{"device_id":"{{device}}","data_type":"t{{n % 3}}","timestamp":"{{Start.AddMinutes(n):yyyy-MM-dd'T'HH:mm:ss'Z'}}","message_id":"m-{{n}}","payload":{"value":{{n}}.5} }""")))}]";

    // Row by row what the dump holds, and what finds it. Readings that were in the log alone are stored anew: those have other ids. Summaries
    // get their partitions when they are folded; what they say is compared over the API.
    private const string Rows =
        """
        select string_agg(line, E'\n' order by line collate "C") from (
            select format('reading %s', r) as line from device_data r where id <= 300
            union all select format('series %s %s %s', device_id, data_type, newest_hour) from device_series
            union all select format('device %s', (d.id, d.external_id, d.name, d.type, d.location, d.labels, d.status, d.token_hash, d.created_at)) from devices d
            union all select format('message %s %s', device_id, message_id) from message_ids where split_part(message_id, '-', 2)::int < 340
            union all select format('person %s', p) from people p
            union all select format('key %s', k) from api_keys k
            union all select format('quarantine %s', q) from quarantine q
            union all select format('index %s %s %s', indexrelid::regclass, indisvalid, pg_get_indexdef(indexrelid)) from pg_index join pg_class on pg_class.oid = indexrelid where relnamespace = 'public'::regnamespace and relname not like 'device_summary%'
            union all select format('attached %s %s', inhparent::regclass, inhrelid::regclass) from pg_inherits where inhparent::regclass::text not like 'device_summary%'
            union all select format('function %s', pg_get_functiondef(oid)) from pg_proc where pronamespace = 'public'::regnamespace
            union all select format('migration %s', m) from schema_migrations m
            union all select 'begin') lines
        """;

    /// <summary>What there is of readings, summaries, devices and the quarantine.</summary>
    private static async Task<string> FiguresAsync(Platform platform, string device, DateTimeOffset before)
    {
        var limit = before == DateTimeOffset.MaxValue ? "infinity" : before.ToString("O", CultureInfo.InvariantCulture);
        var readings = await platform.ScalarAsync<string>($"select count(*) || ' ' || md5(string_agg(device_id || ' ' || timestamp || ' ' || data_type || ' ' || payload || ' ' || status, ',' order by timestamp)) from device_data where timestamp < '{limit}'");
        var hours = (await platform.Client.ReadAsync($"/api/v1/devices/{device}/summary?from={Start:yyyy-MM-dd}&to={Start.AddHours(5):yyyy-MM-dd'T'HH:mm:ss'Z'}")).Text;
        var quarantine = (await platform.Client.ReadAsync("/api/v1/quarantine")).Items.Select(item => item.GetRawText());
        var devices = (await platform.Client.ReadAsync("/api/v1/devices")).Items.Select(item => $"{item.GetProperty("id")} {item.GetProperty("created_at")}");
        return string.Join('\n', [readings, hours, .. quarantine, .. devices]);
    }

    private static async Task<ToolResult> MqttAsync(Platform platform, string program, params string[] arguments)
    {
        var result = await ClientTool.RunAsync(program, ["-h", "127.0.0.1", "-p", $"{platform.MqttPort}", "-q", "1", .. arguments]);
        Assert.True(result.ExitCode == 0, result.ToString());
        return result;
    }

    private Task<ToolResult> ScriptAsync(string script, Platform platform, params string[] settings)
    {
        var suffix = settings is [['.', ..] ending, ..] ? ending : "";
        return ClientTool.RunAsync(Path.Combine(Repository.Root, "scripts", script), [File + suffix, $"--Data:Directory={platform.DataDirectory}", .. settings.Where(s => s != suffix)]);
    }
}
