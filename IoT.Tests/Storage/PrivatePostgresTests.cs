using System.Globalization;
using System.Net;
using System.Net.Sockets;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.PrivatePostgres;
using IoT.Tests.Support;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage;

public sealed class PrivatePostgresTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_start_makes_a_database_that_answers()
    {
        await using var cluster = new PrivateCluster();
        var host = await cluster.StartAsync();

        Assert.Equal("iot|iot|UTF8|on|scram-sha-256|UTC|off", await PrivateCluster.QueryAsync(host.ConnectionString, """
            SELECT concat_ws('|', current_database(), current_user, current_setting('server_encoding'), current_setting('data_checksums'),
                current_setting('password_encryption'), current_setting('TimeZone'), current_setting('jit'))
            """));
        Assert.Equal(PrivateServerState.Running, host.Status.State);
        Assert.Equal(cluster.PidInFile(), host.Status.Pid);
        Assert.StartsWith(File.ReadAllText(Path.Combine(cluster.Cluster, "PG_VERSION")).Trim(), host.Status.ServerVersion, StringComparison.Ordinal);
        Assert.False(host.Failed.IsCompleted);
    }

    [Fact]
    public async Task The_server_runs_unprivileged_in_a_session_of_its_own_and_without_the_hosts_environment()
    {
        await using var cluster = new PrivateCluster();
        var host = await cluster.StartAsync();

        var status = await File.ReadAllLinesAsync($"/proc/{host.Status.Pid}/status", Cancellation);
        Assert.DoesNotContain(status, line => line.StartsWith("Uid:", StringComparison.Ordinal) && line.Contains("\t0", StringComparison.Ordinal));
        Assert.Contains(status, line => line.StartsWith("CapEff:", StringComparison.Ordinal) && line.EndsWith("0000000000000000", StringComparison.Ordinal));
        var stat = await File.ReadAllTextAsync($"/proc/{host.Status.Pid}/stat", Cancellation);
        var session = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3];
        Assert.Equal(host.Status.Pid, int.Parse(session, CultureInfo.InvariantCulture));
        Assert.DoesNotContain("DOTNET", await File.ReadAllTextAsync($"/proc/{host.Status.Pid}/environ", Cancellation), StringComparison.Ordinal);
        Assert.Contains(cluster.Cluster, await File.ReadAllTextAsync($"/proc/{host.Status.Pid}/cmdline", Cancellation), StringComparison.Ordinal);
        Assert.DoesNotContain(
            Directory.EnumerateFiles($"/proc/{host.Status.Pid}/fd"),
            file => new FileInfo(file).LinkTarget?.EndsWith("host.lock", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task The_connection_file_is_private_and_works_with_psql()
    {
        await using var cluster = new PrivateCluster();
        await cluster.StartAsync();

        var file = Path.Combine(cluster.Postgres, "connection");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var psql = Tool.Command("/bin/sh", "-c", "psql \"$(cat \"$0\")\" -AtX -c 'SELECT 6 * 7'", file);
        Assert.Equal((0, "42"), await Tool.RunAsync(psql, "", Cancellation));
        var uri = await File.ReadAllTextAsync(file, Cancellation);
        var wrong = Tool.Command("psql", uri.Replace("iot:", "iot:0", StringComparison.Ordinal).Trim(), "-c", "SELECT 1");
        Assert.Contains("password authentication failed", (await Tool.RunAsync(wrong, "", Cancellation)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_leaves_no_process_and_the_next_start_finds_the_data()
    {
        await using var cluster = new PrivateCluster();
        var first = await cluster.StartAsync();
        await PrivateCluster.QueryAsync(first.ConnectionString, "CREATE TABLE kept AS SELECT 7 AS n");
        await first.StopAsync();

        Assert.Empty(cluster.Processes());
        Assert.Equal(PrivateServerState.Stopped, first.Status.State);
        Assert.True(cluster.Log.Has(1006));

        var second = await cluster.StartAsync();
        Assert.Equal(7, await PrivateCluster.QueryAsync(second.ConnectionString, "SELECT n FROM kept"));
    }

    [Fact]
    public async Task A_server_that_outlived_its_host_is_stopped_and_replaced()
    {
        await using var cluster = new PrivateCluster();
        var killed = await cluster.StartAsync();
        await PrivateCluster.QueryAsync(killed.ConnectionString, "CREATE TABLE kept AS SELECT 7 AS n");
        var orphan = killed.Status.Pid!.Value;
        await killed.AbandonAsync();
        Assert.True(Posix.IsAlive(orphan));

        var next = await cluster.StartAsync();

        Assert.False(Posix.IsAlive(orphan));
        Assert.True(cluster.Log.Has(1009));
        Assert.NotEqual(orphan, next.Status.Pid);
        Assert.Equal(7, await PrivateCluster.QueryAsync(next.ConnectionString, "SELECT n FROM kept"));
    }

    [Fact]
    public async Task A_killed_postmaster_is_started_again_behind_the_same_connection_string()
    {
        await using var cluster = new PrivateCluster();
        var host = await cluster.StartAsync();
        await PrivateCluster.QueryAsync(host.ConnectionString, "CREATE TABLE kept AS SELECT 7 AS n");
        // A backend too busy to notice that its postmaster is gone: its shared memory bars the way of the next.
        var busy = PrivateCluster.QueryAsync(host.ConnectionString, "SELECT sum(sqrt(n)) FROM generate_series(1, 2000000000) n");
        await Eventually.TrueAsync(async () => (long)(await PrivateCluster.QueryAsync(host.ConnectionString, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sqrt%' AND pid <> pg_backend_pid()"))! == 1, "the busy query runs");
        var before = host.Status.Pid!.Value;

        Posix.Signal(before, Posix.SigKill);

        await Eventually.TrueAsync(() => Task.FromResult(host.Status is { State: PrivateServerState.Running, Restarts: 1 }), "the server runs again");
        Assert.NotEqual(before, host.Status.Pid);
        Assert.Equal(7, await PrivateCluster.QueryAsync(host.ConnectionString, "SELECT n FROM kept"));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => busy);
    }

    [Fact]
    public async Task A_restart_whose_port_was_taken_meanwhile_moves_to_another_behind_the_same_connection_string()
    {
        await using var cluster = new PrivateCluster();
        var host = await cluster.StartAsync();
        var (pid, port) = (host.Status.Pid!.Value, host.Status.Port!.Value);
        using var squatter = new TcpListener(IPAddress.Loopback, port);

        Posix.Signal(pid, Posix.SigKill);
        await Eventually.TrueAsync(
            () =>
            {
                squatter.Start();
                return Task.FromResult(true);
            },
            "the port is free for a moment");

        await Eventually.TrueAsync(() => Task.FromResult(host.Status is { State: PrivateServerState.Running, Restarts: 1 }), "the server runs again");
        Assert.NotEqual(port, host.Status.Port);
        Assert.Equal(1, await PrivateCluster.QueryAsync(host.ConnectionString, "SELECT 1"));
        Assert.Contains($":{host.Status.Port}/", await File.ReadAllTextAsync(Path.Combine(cluster.Postgres, "connection"), Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_port_that_is_taken_is_replaced_by_another()
    {
        using var squatter = new TcpListener(IPAddress.Loopback, 0);
        squatter.Start();
        var taken = ((IPEndPoint)squatter.LocalEndpoint).Port;
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var other = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        var proposals = new Queue<int>([taken, other]);
        await using var cluster = new PrivateCluster { ProposePort = proposals.Dequeue };

        var host = await cluster.StartAsync();

        Assert.Equal(other, host.Status.Port);
        Assert.Contains(cluster.Log.Entries, entry => entry.Id == 1004 && entry.Text.Contains("could not bind", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_can_not_be_restarted_is_given_up_loudly_after_a_bounded_number_of_attempts()
    {
        var budget = new RestartBudget(TimeProvider.System, 4, TimeSpan.FromMinutes(5), TimeSpan.FromMilliseconds(10));
        await using var cluster = new PrivateCluster { Budget = budget };
        var host = await cluster.StartAsync();
        File.Delete(Path.Combine(cluster.Cluster, "global", "pg_control"));

        Posix.Signal(host.Status.Pid!.Value, Posix.SigKill);

        var reason = await host.Failed.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, Cancellation);
        Assert.Contains("4 starts", reason, StringComparison.Ordinal);
        Assert.Equal(3, cluster.Log.Entries.Count(entry => entry.Id == 1004));
        Assert.Single(cluster.Log.Entries, entry => entry.Level == LogLevel.Critical);
        Assert.Equal(PrivateServerState.Stopped, host.Status.State);
    }

    [Fact]
    public async Task A_first_start_that_fails_says_what_the_server_said()
    {
        await using var cluster = new PrivateCluster();
        var host = await cluster.StartAsync();
        await host.StopAsync();
        File.Delete(Path.Combine(cluster.Cluster, "global", "pg_control"));

        var refusal = await Assert.ThrowsAsync<StartupException>(() => cluster.StartAsync());

        Assert.Contains("pg_control", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.Processes());
    }

    [Fact]
    public async Task A_stale_pid_that_another_program_has_now_does_not_block()
    {
        await using var cluster = new PrivateCluster();
        var first = await cluster.StartAsync();
        Posix.Signal(first.Status.Pid!.Value, Posix.SigKill); // So that postmaster.pid stays.
        await first.AbandonAsync();
        using var other = cluster.StartAsServerUser("sleep", "300");
        try
        {
            var file = Path.Combine(cluster.Cluster, "postmaster.pid");
            var lines = await File.ReadAllLinesAsync(file, Cancellation);
            lines[0] = other.Id.ToString(CultureInfo.InvariantCulture);
            await File.WriteAllLinesAsync(file, lines, Cancellation);

            var next = await cluster.StartAsync();

            Assert.Equal(1, await PrivateCluster.QueryAsync(next.ConnectionString, "SELECT 1"));
            Assert.False(other.HasExited);
        }
        finally
        {
            other.Kill();
        }
    }

    [Fact]
    public async Task A_data_directory_behind_a_closed_folder_works_and_recovers()
    {
        Assert.SkipUnless(PrivateCluster.AmRoot, "only root has another user run the server");
        await using var cluster = new PrivateCluster(closed: true);
        var host = await cluster.StartAsync();
        await PrivateCluster.QueryAsync(host.ConnectionString, "CREATE TABLE kept AS SELECT n FROM generate_series(1, 100000) n");
        await PrivateCluster.QueryAsync(host.ConnectionString, "CHECKPOINT");
        await PrivateCluster.QueryAsync(host.ConnectionString, "INSERT INTO kept VALUES (0)");
        Assert.Contains("/proc/self/fd/3", await File.ReadAllTextAsync($"/proc/{host.Status.Pid}/cmdline", Cancellation), StringComparison.Ordinal);

        Posix.Signal(host.Status.Pid!.Value, Posix.SigKill);
        await Eventually.TrueAsync(() => Task.FromResult(host.Status is { State: PrivateServerState.Running, Restarts: 1 }), "the server runs again");
        await host.AbandonAsync();

        var next = await cluster.StartAsync();
        Assert.True(cluster.Log.Has(1009));
        Assert.Equal(100_001L, await PrivateCluster.QueryAsync(next.ConnectionString, "SELECT count(*) FROM kept"));
    }

    [Fact]
    public async Task A_path_too_long_for_a_socket_works()
    {
        await using var cluster = new PrivateCluster(Path.Combine(new string('a', 60), new string('b', 60), "data"));
        var host = await cluster.StartAsync();

        var sockets = new NpgsqlConnectionStringBuilder(host.ConnectionString).Host!;
        Assert.StartsWith("/tmp/iot-postgres-", sockets, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(sockets));
        Assert.Equal(1, await PrivateCluster.QueryAsync(host.ConnectionString, "SELECT 1"));
        await host.StopAsync();
        Directory.Delete(sockets, recursive: true);
    }

    [Fact]
    public async Task An_interrupted_initdb_leaves_nothing_that_matters()
    {
        await using var cluster = new PrivateCluster();
        var half = Path.Combine(cluster.Postgres, "cluster.new-half", "base");
        Directory.CreateDirectory(half);
        await File.WriteAllTextAsync(Path.Combine(half, "1"), "half", Cancellation);

        var host = await cluster.StartAsync();

        Assert.Equal(1, await PrivateCluster.QueryAsync(host.ConnectionString, "SELECT 1"));
        Assert.False(Directory.Exists(Path.GetDirectoryName(half)));
    }

    [Fact]
    public async Task A_start_cancelled_during_initdb_leaves_no_process_and_the_next_one_works()
    {
        await using var cluster = new PrivateCluster();
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var starting = cluster.StartAsync(cancellationToken: cancelled.Token);
        await Eventually.TrueAsync(
            () => Task.FromResult(Directory.EnumerateDirectories(cluster.Postgres, "cluster.new-*").SelectMany(Directory.EnumerateFileSystemEntries).Any()),
            "initdb works");
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        Assert.False(Directory.Exists(cluster.Cluster));

        var host = await cluster.StartAsync();

        Assert.Equal(1, await PrivateCluster.QueryAsync(host.ConnectionString, "SELECT 1"));
        Assert.Empty(Directory.EnumerateDirectories(cluster.Postgres, "cluster.new-*"));
    }

    [Fact]
    public async Task A_lost_password_file_gets_a_new_password()
    {
        await using var cluster = new PrivateCluster();
        var host = await cluster.StartAsync();
        var before = host.ConnectionString;
        await host.StopAsync();
        File.Delete(Path.Combine(cluster.Postgres, "password"));

        var next = await cluster.StartAsync();

        Assert.NotEqual(before, next.ConnectionString);
        Assert.Equal(1, await PrivateCluster.QueryAsync(next.ConnectionString, "SELECT 1"));
    }

    [Fact]
    public async Task A_cluster_of_another_major_version_is_refused_naming_both()
    {
        await using var cluster = new PrivateCluster();
        Directory.CreateDirectory(cluster.Cluster);
        await File.WriteAllTextAsync(Path.Combine(cluster.Cluster, "PG_VERSION"), "11\n", Cancellation);

        var refusal = await Assert.ThrowsAsync<StartupException>(() => cluster.StartAsync());

        Assert.Matches(@"made by PostgreSQL 11, .* are version 1\d\..*postgresql-11", refusal.Message);
    }

    [Fact]
    public async Task Missing_programs_are_answered_with_the_command_that_installs_them()
    {
        var refusal = await Assert.ThrowsAsync<StartupException>(() => PostgresBinaries.FindAsync(null, null, "/nowhere", "/nowhere", Cancellation));
        Assert.Contains("sudo apt-get install postgresql", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("./run", refusal.Message, StringComparison.Ordinal);

        await using var cluster = new PrivateCluster();
        refusal = await Assert.ThrowsAsync<StartupException>(() => cluster.StartAsync(new StorageOptions { PostgresBinaries = "/nowhere" }));
        Assert.Contains("Storage__PostgresBinaries is /nowhere", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_PostgreSQL_that_is_too_old_is_passed_over_or_refused_naming_what_is_needed()
    {
        var folder = Directory.CreateTempSubdirectory("iot-versions-").FullName;
        try
        {
            foreach (var major in new[] { "13", "14", "9.6" })
            {
                var bin = Directory.CreateDirectory(Path.Combine(folder, major, "bin")).FullName;
                foreach (var program in new[] { "postgres", "initdb" })
                {
                    await File.WriteAllTextAsync(Path.Combine(bin, program), $"#!/bin/sh\necho '{program} (PostgreSQL) {major}.3'\n", Cancellation);
                    File.SetUnixFileMode(Path.Combine(bin, program), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                }
            }
            var old = Path.Combine(folder, "13", "bin");
            Assert.Equal(14, (await PostgresBinaries.FindAsync(null, null, old, folder, Cancellation)).Major);
            var refusal = await Assert.ThrowsAsync<StartupException>(() => PostgresBinaries.FindAsync(old, null, null, folder, Cancellation));
            Assert.Contains($"{old} is 13; 14 or later is needed", refusal.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Assert.Contains("PostgreSQL at db:5432 can't be used. It is PostgreSQL 13; 14 or later is needed.", Assert.Throws<StartupException>(() => ServerVersion.ThrowIfTooOld(new Version(13, 9), "db:5432")).Message, StringComparison.Ordinal);
        ServerVersion.ThrowIfTooOld(new Version(14, 0), "db:5432");
    }

    [Fact]
    public async Task A_second_host_on_the_directory_is_refused_naming_the_first()
    {
        await using var cluster = new PrivateCluster();
        using (DataDirectoryLock.Take(cluster.DataDirectory))
        {
            var refusal = Assert.Throws<StartupException>(() => DataDirectoryLock.Take(cluster.DataDirectory));
            Assert.Contains($"is in use by another host (pid {Environment.ProcessId})", refusal.Message, StringComparison.Ordinal);
        }

        DataDirectoryLock.Take(cluster.DataDirectory).Dispose();
    }

    [Fact]
    public void A_directory_that_can_not_be_written_is_refused_naming_it()
    {
        var refusal = Assert.Throws<StartupException>(() => DataDirectoryLock.Take("/proc/iot"));
        Assert.Contains("/proc/iot can't be written", refusal.Message, StringComparison.Ordinal);
    }
}
