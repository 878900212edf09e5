using System.Diagnostics;
using System.Globalization;
using IoT.Modules.Storage.PrivatePostgres;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>A PostgreSQL that somebody else runs: made for one test, on a loopback port, started and stopped by the test.</summary>
internal sealed class GivenPostgres : IAsyncDisposable
{
    private static readonly string Binaries =
        Path.Combine(Directory.EnumerateDirectories("/usr/lib/postgresql").OrderByDescending(d => int.Parse(Path.GetFileName(d), CultureInfo.InvariantCulture)).First(), "bin");

    private readonly string _top = Directory.CreateTempSubdirectory("iot-given-").FullName;
    private readonly int _port = FreePort.Next();
    private Process? _server;

    private GivenPostgres()
    {
    }

    public string ConnectionString => ConnectionStringOf(_port);

    public int Port => _port;

    /// <summary>Makes a standby of this server, which runs; the standby doesn't yet.</summary>
    public async Task<GivenPostgres> MakeStandbyAsync()
    {
        var standby = await NewAsync();
        var made = await ClientTool.RunAsync("/usr/bin/env", Unprivileged("pg_basebackup", "-D", standby.Cluster, "-R", "-c", "fast", "--no-sync", "-d", string.Create(CultureInfo.InvariantCulture, $"postgresql://iot:given@127.0.0.1:{_port}")));
        Assert.True(made.ExitCode == 0, made.ToString());
        return standby;
    }

    /// <summary>Makes the cluster; it doesn't run yet.</summary>
    public static async Task<GivenPostgres> MakeAsync()
    {
        var postgres = await NewAsync();
        var password = Path.Combine(postgres._top, "password");
        await File.WriteAllTextAsync(password, "given", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(password, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.UserWrite);
        var made = await ClientTool.RunAsync("/usr/bin/env", Unprivileged("initdb", "-D", postgres.Cluster, "-U", "iot", "--auth=scram-sha-256", $"--pwfile={password}", "-E", "UTF8", "--no-sync"));
        Assert.True(made.ExitCode == 0, made.ToString());
        return postgres;
    }

    private static async Task<GivenPostgres> NewAsync()
    {
        var postgres = new GivenPostgres();
        if (IsRoot)
            Assert.Equal(0, (await ClientTool.RunAsync("chown", "postgres", postgres._top)).ExitCode);
        return postgres;
    }

    public Task StartAsync() => StartAsync(_port);

    /// <summary>One statement while nobody else can see the server; it is down before and after.</summary>
    public async Task ChangeAloneAsync(string sql)
    {
        var port = FreePort.Next();
        await StartAsync(port);
        await Database.ScalarAsync<object>(ConnectionStringOf(port) + ";Pooling=false", sql);
        await StopAsync();
    }

    private async Task StartAsync(int port)
    {
        _server = Process.Start(new ProcessStartInfo("/usr/bin/env", Unprivileged("postgres", "-D", Cluster, "-p", port.ToString(CultureInfo.InvariantCulture), "-k", _top, "-c", "listen_addresses=127.0.0.1"))
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        _server.ErrorDataReceived += (_, _) => { };
        _server.BeginErrorReadLine();
        await Eventually.TrueAsync(async () => await Database.ScalarAsync<int>(ConnectionStringOf(port) + ";Pooling=false", "select 1") == 1, "the given PostgreSQL");
    }

    /// <summary>As its administrator would: clients are disconnected.</summary>
    public async Task StopAsync()
    {
        Posix.Signal(_server!.Id, Posix.SigInt);
        await _server.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
        {
            Posix.Signal(_server.Id, Posix.SigQuit);
            await _server.WaitForExitAsync(CancellationToken.None);
        }
        _server?.Dispose();
        Directory.Delete(_top, recursive: true);
    }

    private static string ConnectionStringOf(int port) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={port};Username=iot;Password=given;Database=postgres;Timeout=10");

    private static bool IsRoot => Posix.EffectiveUser == 0;

    private string Cluster => Path.Combine(_top, "cluster");

    // setpriv and env replace themselves by what they start, so that signals reach the server.
    private static string[] Unprivileged(string program, params string[] arguments) =>
        IsRoot
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", Path.Combine(Binaries, program), .. arguments]
            : [Path.Combine(Binaries, program), .. arguments];
}
