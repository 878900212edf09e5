using System.Net;
using System.Net.Sockets;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>A PostgreSQL of the host's own: made, started, watched and stopped by it. One start per instance.</summary>
internal sealed class PrivateServer(StorageOptions options, DataDirectoryLock data, ILogger<PrivateServer> logger, TimeProvider clock)
    : IAsyncDisposable
{
    private const string Database = "iot";
    private const string Distribution = "/usr/lib/postgresql";

    /// <summary>For the server's log collector, which ends after its postmaster.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(5);

    /// <summary>Cleaners of /tmp remove what is days old; PostgreSQL refreshes its socket in the same way.</summary>
    private static readonly TimeSpan LinkRenewal = TimeSpan.FromHours(1);

    private readonly ClusterLayout _layout = new(data.Directory);
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<string> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private volatile PrivateServerStatus _status = new(PrivateServerState.Stopped, null, null, null, 0);
    private Server? _server;
    private Postmaster? _postmaster;
    private Task? _supervision;
    private string? _connectionString;
    private int _port;
    private bool _disposed;

    public PrivateServerStatus Status => _status;

    /// <summary>Completes, with the reason, when the server died and could not be started again. The host should end then.</summary>
    public Task<string> Failed => _failed.Task;

    /// <summary>For Npgsql, over the Unix socket. Stays the same over restarts of the server.</summary>
    public string ConnectionString => _connectionString ?? throw new InvalidOperationException("The private PostgreSQL has not been started.");

    /// <summary>How many starts are tried before giving up.</summary>
    internal RestartBudget Budget { get; init; } = RestartBudget.Default(clock);

    /// <summary>Proposes a TCP port; another is asked for when the server can't have it.</summary>
    internal Func<int> ProposePort { get; init; } = FreePort;

    /// <summary>Returns when the database takes connections; makes it first when there is none.</summary>
    /// <exception cref="StartupException">It can't be started.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _status = _status with { State = PrivateServerState.Starting };
        try
        {
            _server = await PrepareAsync(cancellationToken);
            await LaunchAsync(_server, patient: false, cancellationToken);
            var version = await EnsureDatabaseAsync(cancellationToken);
            _status = Running(_status with { ServerVersion = version });
            logger.Started(version, _postmaster!.Pid, _postmaster.Port, _server.User.Name);
            _supervision = SuperviseAsync(_server, _stopping.Token);
        }
        catch (Exception e)
        {
            await StopAsync();
            if (e is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
                throw new StartupException($"The private PostgreSQL can't be set up in {_layout.Root}: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Lets transactions in progress go, writes everything down and ends the server.</summary>
    public async Task StopAsync()
    {
        if (_disposed)
            return;
        await AbandonAsync();
        if (_postmaster is { Exited.IsCompleted: false })
        {
            await _postmaster.StopAsync();
            await _server!.Processes.GoneAsync(LastWords, CancellationToken.None);
        }

        _status = _status with { State = PrivateServerState.Stopped, Pid = null, Port = null };
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _disposed = true;
        _postmaster?.Dispose();
        _stopping.Dispose();
    }

    /// <summary>Stops watching and leaves the server running, as the death of the host does.</summary>
    internal async Task AbandonAsync()
    {
        await _stopping.CancelAsync();
        if (_supervision is not null)
            await _supervision;
    }

    private async Task<Server> PrepareAsync(CancellationToken cancellationToken)
    {
        var user = ServerUser.For(_layout);
        var binaries = await PostgresBinaries.FindAsync(
            options.PostgresBinaries, ClusterMaker.MajorOf(_layout.ClusterVersion), Environment.GetEnvironmentVariable("PATH"), Distribution, cancellationToken);
        Directory.CreateDirectory(_layout.Root);
        // Another user passes through to the cluster and sees nothing else.
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        const UnixFileMode passage = owner | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(_layout.Root, user.IsOther ? passage : owner);
        user.OwnDirectory(_layout.Log);
        _layout.Replace(_layout.Settings, ServerSettings.File, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);

        var command = await ServerCommand.PrepareAsync(_layout, user, binaries, cancellationToken);
        var maker = new ClusterMaker(_layout, binaries, user, command, logger);
        await maker.MakeAsync(cancellationToken);
        var processes = new ClusterProcesses(_layout, command, logger, clock);
        await processes.ClearAsync(cancellationToken);
        var password = await maker.PasswordAsync(cancellationToken);
        var sockets = SocketDirectory.Prepare(_layout, user, command);
        _connectionString = new NpgsqlConnectionStringBuilder
        {
            Host = sockets.Path,
            Port = SocketDirectory.Number,
            Database = Database,
            Username = ClusterMaker.Role,
            Password = password,
        }.ConnectionString;
        return new Server(binaries, user, command, processes, sockets, password);
    }

    /// <param name="server">What to launch.</param>
    /// <param name="patient">Tries again whatever the failure; otherwise only when it may pass by itself.</param>
    /// <param name="cancellationToken">Ends the attempt and the server.</param>
    private async Task LaunchAsync(Server server, bool patient, CancellationToken cancellationToken)
    {
        while (Budget.TryTake(out var pause))
        {
            await Task.Delay(pause, clock, cancellationToken);
            var since = clock.GetUtcNow().AddSeconds(-1);
            await server.Processes.ClearAsync(cancellationToken);
            if (await TryLaunchAsync(server, cancellationToken))
                return;
            await server.Processes.GoneAsync(LastWords, cancellationToken);
            var said = ServerLog.Tail(_layout, since);
            logger.StartFailed(said);
            if (!patient && !ServerLog.MayPass(said))
                throw new StartupException($"The private PostgreSQL in {_layout.Cluster} does not start. It said:\n{said}");
        }

        throw new StartupException(
            $"The private PostgreSQL in {_layout.Cluster} did not stay up: {Budget.Attempts} starts within {Budget.Period.TotalMinutes:0.#} minutes. See {_layout.StartupLog} and {_layout.Log}.");
    }

    private async Task<bool> TryLaunchAsync(Server server, CancellationToken cancellationToken)
    {
        _port = _port != 0 && IsFree(_port) ? _port : ProposePort();
        server.Sockets.Clear();
        File.Delete(_layout.StartupLog);
        _postmaster?.Dispose();
        _postmaster = Postmaster.Start(
            server.Command.Make(_layout.StartupLog, server.Binaries.Postgres, ServerSettings.Arguments(server.Command, _layout, server.Sockets.SeenByServer, _port)),
            _port, logger, clock);
        if (!await _postmaster.ReadyAsync(_layout, cancellationToken))
            return false;
        server.Sockets.PointTo(_port);
        _layout.Replace(_layout.Connection, $"postgresql://{ClusterMaker.Role}:{server.Password}@127.0.0.1:{_port}/{Database}\n");
        return true;
    }

    private async Task SuperviseAsync(Server server, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                if (!await _postmaster!.ExitedWithinAsync(LinkRenewal, stopping))
                {
                    server.Sockets.PointTo(_port);
                    continue;
                }

                logger.Died(_postmaster.Pid, _postmaster.ExitCode);
                _status = _status with { State = PrivateServerState.Restarting, Pid = null, Port = null };
                await LaunchAsync(server, patient: true, stopping);
                _status = Running(_status with { Restarts = _status.Restarts + 1 });
                logger.Started(_status.ServerVersion, _postmaster.Pid, _postmaster.Port, server.User.Name);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // StopAsync goes on from here.
        }
        catch (Exception e)
        {
            _status = _status with { State = PrivateServerState.Stopped };
            logger.GaveUp(e.Message);
            _failed.TrySetResult(e.Message);
        }
    }

    private PrivateServerStatus Running(PrivateServerStatus status) =>
        status with { State = PrivateServerState.Running, Pid = _postmaster!.Pid, Port = _postmaster.Port };

    /// <summary>The server's version.</summary>
    private async Task<string> EnsureDatabaseAsync(CancellationToken cancellationToken)
    {
        var maintenance = new NpgsqlConnectionStringBuilder(ConnectionString) { Database = "postgres", Pooling = false }.ConnectionString;
        try
        {
            await using var connection = new NpgsqlConnection(maintenance);
            await connection.OpenAsync(cancellationToken);
            await using var look = new NpgsqlCommand($"SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{Database}')", connection);
            if (await look.ExecuteScalarAsync(cancellationToken) is false)
            {
                await using var create = new NpgsqlCommand($"CREATE DATABASE {Database}", connection);
                await create.ExecuteNonQueryAsync(cancellationToken);
            }

            await using var version = new NpgsqlCommand("SELECT split_part(current_setting('server_version'), ' ', 1)", connection);
            return (string)(await version.ExecuteScalarAsync(cancellationToken))!;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidPassword)
        {
            throw new StartupException($"The private PostgreSQL refuses the password in {_layout.Password}. Delete that file, and the host sets a new one at the next start.", e);
        }
        catch (NpgsqlException e)
        {
            throw new StartupException($"The private PostgreSQL in {_layout.Cluster} runs and can't be used: {e.Message}", e);
        }
    }

    private static int FreePort()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            if (((IPEndPoint)listener.LocalEndpoint).Port is var port and not SocketDirectory.Number)
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private sealed record Server(
        PostgresBinaries Binaries, ServerUser User, ServerCommand Command, ClusterProcesses Processes, SocketDirectory Sockets, string Password);
}
