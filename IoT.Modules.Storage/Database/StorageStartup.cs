using System.Data.Common;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Devices;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.People;
using IoT.Modules.Storage.PrivatePostgres;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Database;

/// <summary>
/// Brings storage up: the private cluster unless a connection string is given, pools, schema, partitions, directories. A given
/// PostgreSQL that is away holds nothing else up: the host starts, says that it isn't ready, and this goes on trying.
/// </summary>
internal sealed partial class StorageStartup(
    IConfiguration configuration, DataOptions data, PrivateCluster privateCluster, PostgresPools database,
    Migrator migrator, MonthlyPartitions partitions, DirectoryLoader directories, FirstAdmin firstAdmin,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<StorageStartup> logger) : IHostedService, IAsyncDisposable
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private DataDirectoryLock? _lock;
    private Task _preparing = Task.CompletedTask;
    private bool _isPrivate;

    /// <summary>Completes when the schema is in place and the directories are loaded.</summary>
    public Task Ready => _ready.Task;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _lock = DataDirectoryLock.Take(data.Directory);
        var write = configuration.GetConnectionString("Postgres");
        if (string.IsNullOrWhiteSpace(write))
        {
            _isPrivate = true;
            await privateCluster.StartAsync(cancellationToken);
            write = privateCluster.ConnectionString;
        }
        var replica = configuration.GetConnectionString("PostgresReplica");
        try
        {
            database.Open(write, string.IsNullOrWhiteSpace(replica) ? write : replica);
        }
        catch (ArgumentException exception)
        {
            throw new StartupException($"ConnectionStrings__Postgres or ConnectionStrings__PostgresReplica is not a connection string that Npgsql can read: {exception.Message}");
        }
        try
        {
            await PrepareAsync(cancellationToken);
        }
        catch (DbException exception) when (exception.IsTransient || exception.InnerException is TimeoutException)
        {
            LogAway(database.Endpoint, exception.Message);
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
        if (_isPrivate)
            await privateCluster.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await privateCluster.DisposeAsync();
        _lock?.Dispose();
        _stopping.Dispose();
    }

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await migrator.ApplyAsync(cancellationToken);
        await partitions.EnsureAheadAsync(cancellationToken);
        await directories.LoadAsync(cancellationToken);
        await firstAdmin.EnsureAsync(cancellationToken);
        database.MarkReady();
        _ready.TrySetResult();
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
            catch (DbException exception) when (exception.IsTransient || exception.InnerException is TimeoutException)
            {
                LogAway(database.Endpoint, exception.Message);
                delay = delay * 2 < LongestRetry ? delay * 2 : LongestRetry;
            }
            catch (Exception exception)
            {
                LogGaveUp(exception, exception.Message);
                Environment.ExitCode = 1;
                lifetime.StopApplication();
                return;
            }
        }
    }

    [LoggerMessage(1000, LogLevel.Warning, "PostgreSQL at {Endpoint} is away; trying on. {Reason}")]
    private partial void LogAway(string endpoint, string reason);

    [LoggerMessage(1001, LogLevel.Critical, "The database can't be used: {Reason}")]
    private partial void LogGaveUp(Exception exception, string reason);
}
