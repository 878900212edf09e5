using IoT.Modules.Gateway.IngestLog;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// The broker's state on disk: the file with all that the log's records up to a position say, and the log beyond it. A file that is
/// damaged is set aside and a new one begun: sessions are lost then, readings never wait for it. Not for several threads at once, but
/// for what it says of itself and <see cref="CopyAsync"/>.
/// </summary>
internal sealed partial class BrokerState(string directory, long maxBytes, TimeProvider time, ILogger logger) : IDisposable
{
    public const string FileName = "sessions.db";

    private const int ReadRecords = 5_000;
    private const int ReadBytes = 4 * 1024 * 1024;
    private const int ChangesAtOnce = 20_000;
    private const int KeptAside = 3;

    private readonly string _path = Path.Combine(directory, FileName);
    private StateDatabase? _database;
    private long _freedUpTo;

    public string Directory => directory;

    /// <summary>What was lost at this start or since, and how; null: nothing.</summary>
    public string? Loss { get; private set; }

    /// <summary>Nothing is written to the file any more.</summary>
    public bool IsGivenUp { get; private set; }

    /// <summary>Everything in the log up to here is in the file; <see cref="long.MaxValue"/> once it is given up.</summary>
    public long Position => IsGivenUp ? long.MaxValue : _database?.Position ?? 0;

    /// <summary>As <see cref="Position"/>, but safely: whatever becomes of the write-ahead log.</summary>
    public long SafePosition { get; private set; }

    public long SizeBytes => _database?.SizeBytes ?? 0;

    /// <summary>Opens the file and brings it up to the log's end.</summary>
    /// <exception cref="SqliteException">A fault after which nothing is known of the disk: <see cref="StateFault.IsFatal"/>.</exception>
    public BrokerSnapshot Open(DurableLog log)
    {
        System.IO.Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        LogSystemCalls.SyncDirectory(Path.GetDirectoryName(directory)!);
        try
        {
            return OpenSound(log);
        }
        catch (Exception exception) when (StateFault.IsDamage(exception))
        {
            Lose($"the file {FileName} could not be used, and was set aside: {exception.Message}");
            SetAside();
            return OpenSound(log);
        }
    }

    /// <summary>Brings changes into the file.</summary>
    public void Apply(IReadOnlyList<BrokerChange> changes, DurableLog log, long position) => _database!.Apply(NetChanges.Of(changes), log.LogId, position);

    /// <summary>Reads what the file lacks from the log.</summary>
    public void CatchUp(DurableLog log, long upTo) => CatchUp(_database!, log, upTo);

    /// <summary>
    /// Takes out of a full file what the log says further on is delivered or ended: what is to be written before that would never find
    /// room else.
    /// </summary>
    public void FreeAhead(DurableLog log, long upTo)
    {
        var changes = new List<BrokerChange>();
        for (var next = Math.Max(Math.Max(Position, _freedUpTo) + 1, log.FirstSequence); next <= upTo;)
        {
            using var batch = log.Read(next, ReadRecords, ReadBytes);
            changes.Clear();
            for (var i = 0; i < batch.Count && batch[i].Sequence <= upTo; i++)
                Collect(batch[i], changes);
            _database!.Free([.. changes.Where(change => change is DeliveryDone or SessionEnded)]);
            next = batch.NextSequence;
            _freedUpTo = Math.Min(next - 1, upTo);
        }
    }

    public void ExpireMessages(DateTime now) => _database!.ExpireMessages(now);

    /// <summary>False while somebody else reads: try again later.</summary>
    public bool Checkpoint()
    {
        var position = Position;
        if (!_database!.Checkpoint())
            return false;
        SafePosition = position;
        return true;
    }

    public long WalBytes => _database?.WalBytes ?? 0;

    /// <summary>It can't be used until the next start: what comes from now on is kept in memory only.</summary>
    public void GiveUp(Exception reason)
    {
        IsGivenUp = true;
        Lose($"the file {FileName} can't be used, and sessions are kept in memory only: {reason.Message}");
        Dispose();
    }

    /// <summary>Writes a consistent copy of the file, for a backup; others write on meanwhile.</summary>
    /// <param name="to">A path; what is there is replaced.</param>
    /// <param name="cancellationToken">Before it has begun.</param>
    public Task CopyAsync(string to, CancellationToken cancellationToken) => Task.Run(() => StateDatabase.Copy(_path, to), cancellationToken);

    public void Dispose()
    {
        _database?.Dispose();
        _database = null;
    }

    private BrokerSnapshot OpenSound(DurableLog log)
    {
        var isNew = !File.Exists(_path);
        _database = StateDatabase.Open(_path, maxBytes);
        try
        {
            // Since when there has been this state the log has had this format: before it, there was nothing to lose.
            if (isNew && Loss is null && log.FirstSequence > 1 && log.FirstVersion >= 2)
                Lose($"the file {FileName} was missing");
            if (_database.LogId is not null && _database.LogId != log.LogId)
            {
                // Another log was begun. What the old one held beyond the file is gone with it.
                LogOtherLog(_database.LogId.Value, log.LogId);
                _database.Apply([], log.LogId, log.FirstSequence - 1);
            }
            else if (_database.Position >= log.NextSequence)
            {
                Lose($"the ingest log ends at {log.NextSequence - 1} and the file {FileName} knows it up to {_database.Position}: the log seems to be restored from an older backup");
                _database.Apply([], log.LogId, log.DurableSequence);
            }
            return Read(log);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private BrokerSnapshot Read(DurableLog log)
    {
        var now = time.GetUtcNow().UtcDateTime;
        try
        {
            CatchUp(_database!, log, log.DurableSequence);
            _database!.Expire(now);
            Checkpoint();
            return Load(_database);
        }
        catch (SqliteException exception) when (!StateFault.IsDamage(exception) && !StateFault.IsFatal(exception))
        {
            // It can be read and not written. What it lacks is put to a copy of it in memory; the writer tries on.
            LogUnwritable(exception, exception.Message);
            using var copy = _database!.InMemory();
            CatchUp(copy, log, log.DurableSequence);
            copy.Expire(now);
            return Load(copy);
        }
    }

    private BrokerSnapshot Load(StateDatabase database)
    {
        var snapshot = database.Load(out var damaged);
        if (damaged > 0)
            Lose($"{damaged} entries of the file {FileName} are damaged and left out");
        LogLoaded(snapshot.Sessions.Count, snapshot.Sessions.Sum(session => (long)session.Queue.Count), snapshot.Retained.Count);
        return snapshot;
    }

    private void CatchUp(StateDatabase database, DurableLog log, long upTo)
    {
        if (database.Position + 1 < log.FirstSequence)
        {
            // A file that was just begun lacks nothing but what is told already.
            if (database.LogId is not null)
                Lose($"the ingest log begins at {log.FirstSequence}, and the file {FileName} knows it up to {database.Position} only");
            database.Apply([], log.LogId, log.FirstSequence - 1);
        }
        var changes = new List<BrokerChange>();
        for (var next = database.Position + 1; next <= upTo;)
        {
            using var batch = log.Read(next, ReadRecords, ReadBytes);
            for (var i = 0; i < batch.Count && batch[i].Sequence <= upTo; i++)
                Collect(batch[i], changes);
            next = batch.NextSequence;
            if (changes.Count >= ChangesAtOnce || next > upTo)
            {
                database.Apply(NetChanges.Of(changes), log.LogId, Math.Min(next - 1, upTo));
                changes.Clear();
            }
        }
    }

    private void Collect(LogRecord record, List<BrokerChange> changes)
    {
        if (!BrokerRecord.Is(record.Payload.Span))
            return;
        try
        {
            changes.AddRange(BrokerRecord.Read(record.Payload.Span));
        }
        catch (InvalidDataException exception)
        {
            Lose($"record {record.Sequence} of the ingest log is left out: {exception.Message}");
        }
    }

    private void Lose(string what)
    {
        Loss = what;
        LogLost(what);
    }

    /// <summary>For somebody to look at; the newest few are kept.</summary>
    private void SetAside()
    {
        var aside = $"{_path}.damaged-{time.GetUtcNow():yyyyMMdd'T'HHmmssfff'Z'}";
        foreach (var suffix in (ReadOnlySpan<string>)["", "-wal"])
        {
            if (File.Exists(_path + suffix))
                File.Move(_path + suffix, aside + suffix, overwrite: true);
        }
        File.Delete(_path + "-shm");
        foreach (var old in System.IO.Directory.EnumerateFiles(directory, FileName + ".damaged-*Z").OrderDescending(StringComparer.Ordinal).Skip(KeptAside))
        {
            File.Delete(old);
            File.Delete(old + "-wal");
        }
    }

    [LoggerMessage(2300, LogLevel.Critical, "MQTT sessions, their queues or retained messages are lost: {What}")]
    private partial void LogLost(string what);

    [LoggerMessage(2301, LogLevel.Information, "MQTT state: {Sessions} sessions, {Waiting} messages wait for them, {Retained} retained messages")]
    private partial void LogLoaded(int sessions, long waiting, int retained);

    [LoggerMessage(2302, LogLevel.Error, "The MQTT state can't be written; what it lacks is taken from the ingest log. {Reason}")]
    private partial void LogUnwritable(Exception exception, string reason);

    [LoggerMessage(2303, LogLevel.Warning, "The MQTT state was kept with the ingest log {Before}, and there is another now, {Now}: it goes on from there")]
    private partial void LogOtherLog(Guid before, Guid now);
}
