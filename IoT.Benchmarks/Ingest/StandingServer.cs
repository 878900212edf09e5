using System.Diagnostics;
using System.Globalization;
using IoT.Benchmarks.Runner;
using IoT.Modules.Storage.PrivatePostgres;
using Npgsql;

namespace IoT.Benchmarks.Ingest;

/// <summary>
/// A stopped host's private cluster, run by us under the same settings, so that it can be taken away from another host and given back.
/// </summary>
internal sealed class StandingServer(string serverFolder) : IAsyncDisposable
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(30);

    private readonly int _port = HostUnderTest.FreePort();
    private Process? _server;

    public string ConnectionString => ServerAddress.Of(serverFolder, _port);

    public int Pid => _server!.Id;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var binaries = await PostgresBinaries.FindAsync(null, null, Environment.GetEnvironmentVariable("PATH"), "/usr/lib/postgresql", cancellationToken);
        var cluster = Path.Combine(serverFolder, "cluster");
        string[] command =
        [
            binaries.Postgres, "-D", cluster,
            "-c", $"config_file={Path.Combine(serverFolder, "iot.conf")}",
            "-c", string.Create(CultureInfo.InvariantCulture, $"port={_port}"),
            "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=",
        ];
        if (Posix.EffectiveUser == 0 && Posix.OwnerOf(cluster) is { } owner)
            command = ["setpriv", $"--reuid={owner.User}", $"--regid={owner.Group}", "--clear-groups", .. command];
        // env and setpriv replace themselves by what they start, so that signals reach the server.
        _server = Process.Start(new ProcessStartInfo("/usr/bin/env", command) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _server.ErrorDataReceived += (_, _) => { };
        _server.BeginErrorReadLine();
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
                await connection.OpenAsync(cancellationToken);
                return;
            }
            catch (NpgsqlException) when (!_server.HasExited && Stopwatch.GetElapsedTime(started) < LongestStart)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
            }
        }
    }

    /// <summary>As its administrator would: clients are disconnected.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Posix.Signal(_server!.Id, Posix.SigInt);
        await _server.WaitForExitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
        {
            Posix.Signal(_server.Id, Posix.SigQuit);
            await _server.WaitForExitAsync(CancellationToken.None);
        }
        _server?.Dispose();
    }
}
