using System.Data.Common;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Devices;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.People;
using IoT.Modules.Storage.PrivatePostgres;
using IoT.Modules.Storage.Retention;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Database;

/// <summary>
/// Brings storage up: the private cluster unless a connection string is given, pools, schema, partitions, directories. A given
/// PostgreSQL that is away holds nothing else up: the host starts, says that it isn't ready, and this goes on trying.
/// </summary>
internal sealed partial class StorageStartup(
    IConfiguration configuration, DataOptions data, StorageOptions options, PostgresPools database,
    Migrator migrator, ReadingPartitions partitions, PartitionRemover remover, DirectoryLoader directories, FirstAdmin firstAdmin,
    CredentialMirror mirror, StorageReadiness readiness,
    IHostApplicationLifetime lifetime, TimeProvider time, ILoggerFactory loggers) : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = loggers.CreateLogger<StorageStartup>();
    private readonly CancellationTokenSource _stopping = new();
    private DataDirectoryLock? _lock;
    private Task _preparing = Task.CompletedTask;
    private Task _watching = Task.CompletedTask;
    private PrivateServer? _privateServer;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _lock = DataDirectoryLock.Take(data.Directory);
        UnfinishedRestore.ThrowIfIn(_lock.Directory);
        var write = configuration.GetConnectionString("Postgres");
        if (string.IsNullOrWhiteSpace(write))
        {
            _privateServer = new PrivateServer(options, _lock, loggers.CreateLogger<PrivateServer>(), time);
            await _privateServer.StartAsync(cancellationToken);
            write = _privateServer.ConnectionString;
            _watching = StopWhenItFailsAsync(_privateServer);
        }
        var replica = configuration.GetConnectionString("PostgresReplica");
        try
        {
            database.Open(write, string.IsNullOrWhiteSpace(replica) ? null : replica);
        }
        catch (ArgumentException exception)
        {
            throw new StartupException($"ConnectionStrings__Postgres or ConnectionStrings__PostgresReplica is not a connection string that Npgsql can read: {exception.Message}");
        }
        if (_privateServer is null)
            mirror.Mirrors(database.Name);
        else
            mirror.Remove();
        try
        {
            await PrepareAsync(cancellationToken);
        }
        catch (DbException exception) when (DatabaseFault.Passes(exception))
        {
            LogAway(database.Endpoint, exception.Message);
            if (_privateServer is null)
                mirror.TryFill();
            _preparing = PrepareLaterAsync();
        }
        catch (DbException exception)
        {
            throw new StartupException($"PostgreSQL at {database.Endpoint} refuses: {exception.Message}", exception);
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _preparing;
        await database.DisposeAsync();
        if (_privateServer is not null)
            await _privateServer.StopAsync();
        await _watching;
    }

    public async ValueTask DisposeAsync()
    {
        if (_privateServer is not null)
            await _privateServer.DisposeAsync();
        _lock?.Dispose();
        _stopping.Dispose();
    }

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await database.KnockAsync(cancellationToken);
        await migrator.ApplyAsync(cancellationToken);
        await remover.LoadFloorAsync(cancellationToken);
        await partitions.PrepareAsync(cancellationToken);
        await directories.LoadAsync(cancellationToken);
        await firstAdmin.EnsureAsync(cancellationToken);
        await mirror.KeepAsync();
        database.MarkReady();
        readiness.MarkReady();
    }

    /// <summary>A private server that can't be kept up ends the host, so that whoever watches over it sees.</summary>
    private async Task StopWhenItFailsAsync(PrivateServer server)
    {
        try
        {
            GiveUp(null, await server.Failed.WaitAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopping: the server is stopped on purpose.
        }
    }

    private void GiveUp(Exception? exception, string reason)
    {
        LogGaveUp(exception is StartupException ? null : exception, reason);
        Environment.ExitCode = 1;
        lifetime.StopApplication();
    }

    private async Task PrepareLaterAsync()
    {
        var delay = TimeSpan.FromMilliseconds(250);
        while (true)
        {
            try
            {
                await Task.Delay(delay, time, _stopping.Token);
                await PrepareAsync(_stopping.Token);
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (DbException exception) when (DatabaseFault.Passes(exception))
            {
                LogAway(database.Endpoint, exception.Message);
                delay = delay * 2 < LongestRetry ? delay * 2 : LongestRetry;
            }
            catch (Exception exception)
            {
                GiveUp(exception, exception.Message);
                return;
            }
        }
    }

    [LoggerMessage(1120, LogLevel.Warning, "PostgreSQL at {Endpoint} is away; trying on. {Reason}")]
    private partial void LogAway(string endpoint, string reason);

    [LoggerMessage(1121, LogLevel.Critical, "The database can't be used: {Reason}")]
    private partial void LogGaveUp(Exception? exception, string reason);
}
