using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using IoT.Modules.Storage;
using IoT.Modules.Storage.PrivatePostgres;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage;

/// <summary>A data directory of the test's own and the hosts that run on it, one after another.</summary>
internal sealed class PrivateCluster : IAsyncDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _top = Directory.CreateTempSubdirectory("iot-").FullName;
    private readonly List<PrivateServer> _hosts = [];
    private DataDirectoryLock? _lock;

    /// <param name="below">Folders between the temporary directory and the data directory.</param>
    /// <param name="closed">The temporary directory lets nobody but its owner through.</param>
    public PrivateCluster(string below = "data", bool closed = false)
    {
        DataDirectory = Path.Combine(_top, below);
        File.SetUnixFileMode(_top, closed ? OwnerOnly : OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        Directory.CreateDirectory(DataDirectory);
    }

    public static bool AmRoot => Posix.EffectiveUser == 0;

    public string DataDirectory { get; }

    public string Postgres => Path.Combine(DataDirectory, "postgres");

    public string Cluster => Path.Combine(Postgres, "cluster");

    public RecordingLogger Log { get; } = new();

    public RestartBudget? Budget { get; init; }

    public Func<int>? ProposePort { get; init; }

    /// <summary>What a host does: takes the directory, then starts.</summary>
    public async Task<PrivateServer> StartAsync(StorageOptions? options = null, CancellationToken? cancellationToken = null)
    {
        _lock ??= DataDirectoryLock.Take(DataDirectory);
        var clock = TimeProvider.System;
        var host = ProposePort is null
            ? new PrivateServer(options ?? new StorageOptions(), _lock, Log, clock) { Budget = Budget ?? RestartBudget.Default(clock) }
            : new PrivateServer(options ?? new StorageOptions(), _lock, Log, clock) { ProposePort = ProposePort };
        _hosts.Add(host);
        await host.StartAsync(cancellationToken ?? TestContext.Current.CancellationToken);
        return host;
    }

    public static async Task<object?> QueryAsync(string connectionString, string sql)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    public int PidInFile() => int.Parse(File.ReadLines(Path.Combine(Cluster, "postmaster.pid")).First(), CultureInfo.InvariantCulture);

    /// <summary>Server processes, of any kind, on this cluster.</summary>
    public IReadOnlyList<int> Processes() =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(pid => pid != 0 && new FileInfo($"/proc/{pid}/cwd").LinkTarget == Cluster && Posix.IsAlive(pid))];

    /// <summary>Runs something as the user who owns the cluster.</summary>
    public Process StartAsServerUser(params string[] command)
    {
        var owner = Posix.OwnerOf(Cluster)!.Value;
        string[] prefix = AmRoot ? ["setpriv", $"--reuid={owner.User}", $"--regid={owner.Group}", "--clear-groups"] : ["env"];
        return Process.Start(Tool.Command(prefix[0], [.. prefix[1..], .. command]))!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
            await host.DisposeAsync();
        foreach (var pid in Processes())
            Posix.Signal(pid, Posix.SigKill);
        _lock?.Dispose();
        Directory.Delete(_top, recursive: true);
    }
}

internal sealed class RecordingLogger : ILogger<PrivateServer>
{
    private readonly ConcurrentQueue<(LogLevel Level, int Id, string Text)> _entries = new();

    public IEnumerable<(LogLevel Level, int Id, string Text)> Entries => _entries;

    public bool Has(int id) => _entries.Any(entry => entry.Id == id);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _entries.Enqueue((logLevel, eventId.Id, formatter(state, exception)));
}
