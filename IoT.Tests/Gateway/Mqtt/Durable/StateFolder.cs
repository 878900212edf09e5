using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Tests.Gateway.IngestLog;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Tests.Gateway.Mqtt.Durable;

/// <summary>A state file in a folder of its own, and an ingest log on a disk that can crash.</summary>
internal sealed class StateFolder : IAsyncDisposable
{
    private const long MiB = 1024 * 1024;

    private readonly string _root = System.IO.Directory.CreateTempSubdirectory("iot-state-").FullName;
    private SimulatedDisk _disk = new();
    private int _lives;

    public StateFolder() => Directory = Path.Combine(_root, "0");

    public string Directory { get; private set; }

    public string File => Path.Combine(Directory, BrokerState.FileName);

    public long MaxBytes { get; set; } = 64 * MiB;

    public TimeProvider Time { get; set; } = TimeProvider.System;

    public DurableLog Log { get; private set; } = null!;

    public BrokerState State { get; private set; } = null!;

    public BrokerSnapshot Open()
    {
        Log = _disk.Open();
        State = new BrokerState(Directory, MaxBytes, Time, NullLogger.Instance);
        return State.Open(Log);
    }

    public async Task<long> AppendAsync(params BrokerChange[] changes) => await AppendAsync((IReadOnlyList<BrokerChange>)changes);

    public async Task<long> AppendAsync(IReadOnlyList<BrokerChange> changes)
    {
        var ticket = Append(changes);
        await ticket.Committed.WaitAsync(LogTesting.Cancel);
        return ticket.LastSequence;
    }

    public IngestTicket Append(IReadOnlyList<BrokerChange> changes)
    {
        using var batch = Log.NewBatch();
        BrokerRecord.Write(changes, batch);
        batch.EndRecord();
        return Log.TryAppend(batch, out var ticket) ? ticket : throw new InvalidOperationException("The log is full.");
    }

    /// <summary>All that the log holds.</summary>
    public List<BrokerChange> ReadChanges()
    {
        using var batch = Log.Read(1, int.MaxValue, int.MaxValue);
        return [.. Enumerable.Range(0, batch.Count).SelectMany(i => BrokerRecord.Read(batch[i].Payload.Span))];
    }

    /// <summary>Everything in the log into the file.</summary>
    public void CatchUp() => State.CatchUp(Log, Log.DurableSequence);

    /// <summary>Closes both in order; then <see cref="Open"/>.</summary>
    public async Task CloseAsync()
    {
        State.Dispose();
        await Log.DisposeAsync();
    }

    /// <summary>The process dies: files are as they are.</summary>
    public async Task CrashAsync(Random random)
    {
        var before = Directory;
        Directory = Path.Combine(_root, $"{++_lives}");
        System.IO.Directory.CreateDirectory(Directory);
        foreach (var suffix in new[] { "", "-wal" })
        {
            if (System.IO.File.Exists(Path.Combine(before, BrokerState.FileName + suffix)))
                System.IO.File.Copy(Path.Combine(before, BrokerState.FileName + suffix), File + suffix);
        }
        var after = _disk.Crash(random);
        State.Dispose();
        await Log.DisposeAsync();
        _disk = after;
    }

    /// <summary>A new log takes the place of the old one.</summary>
    public void LoseLog() => _disk = new SimulatedDisk();

    public long Number(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    public void Run(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public async ValueTask DisposeAsync()
    {
        if (State is not null)
            await CloseAsync();
        System.IO.Directory.Delete(_root, recursive: true);
    }
}
