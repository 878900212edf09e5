using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>
/// The SQLite file with the broker's state. A run of changes and the log's position behind them are one transaction. Checkpoints are made
/// here only and their result is looked at: SQLite's own would pass over a failing fsync. Not for several threads at once.
/// </summary>
/// <exception cref="SqliteException">Any of its methods. See <see cref="StateFault"/>.</exception>
internal sealed partial class StateDatabase : IDisposable
{
    private const int SchemaVersion = 2;
    private const int PageBytes = 4096;

    /// <summary>The tables of version 1.</summary>
    private const string First = """
        CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), log_id TEXT, sequence INTEGER NOT NULL, next_session_id INTEGER NOT NULL, next_message_id INTEGER NOT NULL) STRICT;
        INSERT INTO position VALUES (1, NULL, 0, 1, 1);
        -- Times are ticks UTC.
        CREATE TABLE session (id INTEGER PRIMARY KEY, scope TEXT NOT NULL, client_id TEXT NOT NULL, expiry_seconds INTEGER NOT NULL, closed_at INTEGER, will BLOB) STRICT;
        CREATE INDEX session_client ON session (scope, client_id);
        CREATE TABLE subscription (session_id INTEGER NOT NULL, filter TEXT NOT NULL, options INTEGER NOT NULL, subscription_id INTEGER NOT NULL, PRIMARY KEY (session_id, filter)) STRICT, WITHOUT ROWID;
        -- refs: deliveries and, if it is a topic's retained message, one more.
        CREATE TABLE message (id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, expires_at INTEGER, body BLOB NOT NULL) STRICT;
        CREATE INDEX message_expires ON message (expires_at) WHERE expires_at IS NOT NULL;
        CREATE INDEX message_unused ON message (id) WHERE refs <= 0;
        CREATE TABLE delivery (session_id INTEGER NOT NULL, message_id INTEGER NOT NULL, qos INTEGER NOT NULL, is_retain INTEGER NOT NULL, subscription_ids BLOB, received_packet_id INTEGER, PRIMARY KEY (session_id, message_id)) STRICT, WITHOUT ROWID;
        CREATE TABLE retained (topic TEXT PRIMARY KEY, message_id INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE inbound (session_id INTEGER NOT NULL, packet_id INTEGER NOT NULL, PRIMARY KEY (session_id, packet_id)) STRICT, WITHOUT ROWID;
        """;

    private readonly SqliteConnection _connection;
    private readonly string _path;

    private StateDatabase(string path, SqliteConnection connection)
    {
        (_path, _connection) = (path, connection);
        _statements = new Statements(connection);
        (LogId, Position, NextSessionId, NextMessageId) = ReadPosition();
    }

    /// <summary>Of the log that <see cref="Position"/> is a place in; null in a new file.</summary>
    public Guid? LogId { get; private set; }

    /// <summary>Everything in the log up to this sequence number is in the state.</summary>
    public long Position { get; private set; }

    public long NextSessionId { get; private set; }

    public long NextMessageId { get; private set; }

    /// <summary>Opens the file, or makes it, and looks whether it is sound: reads all of it.</summary>
    /// <param name="maxBytes">Most that it may take, without its write-ahead log.</param>
    /// <exception cref="InvalidDataException">It is damaged, or was written by a newer version.</exception>
    public static StateDatabase Open(string path, long maxBytes)
    {
        var connection = Connect(path, SqliteOpenMode.ReadWriteCreate);
        try
        {
            connection.Open();
            // Closing must not make a checkpoint whose result nobody sees.
            raw.sqlite3_db_config(connection.Handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);
            Run(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");
            Run(connection, FormattableString.Invariant($"PRAGMA max_page_count = {maxBytes / PageBytes}"));
            if (Scalar(connection, "PRAGMA quick_check(1)") is var found && found as string != "ok")
                throw new InvalidDataException($"the file is damaged: {found}");
            Migrate(connection);
            return new StateDatabase(path, connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the file and its write-ahead log.</summary>
    public long SizeBytes => Length(_path) + WalBytes;

    public long WalBytes => Length(_path + "-wal");

    /// <summary>Brings all of the write-ahead log into the file, durably. False while somebody else reads, a backup say: try again later.</summary>
    public bool Checkpoint()
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
        using var reader = command.ExecuteReader();
        return reader.Read() && reader.GetInt64(0) == 0;
    }

    /// <summary>The same state, in memory only.</summary>
    public StateDatabase InMemory()
    {
        var copy = new SqliteConnection("Data Source=:memory:;Pooling=False");
        copy.Open();
        _connection.BackupDatabase(copy);
        return new StateDatabase("", copy);
    }

    /// <summary>Writes a consistent copy of a state file beside whoever writes it.</summary>
    /// <param name="from">The file.</param>
    /// <param name="to">Replaced when it is there.</param>
    public static void Copy(string from, string to)
    {
        var partial = to + ".tmp";
        File.Delete(partial);
        using (var source = Connect(from, SqliteOpenMode.ReadOnly))
        {
            source.Open();
            using var command = source.CreateCommand();
            command.CommandText = "VACUUM INTO $to";
            command.Parameters.AddWithValue("$to", partial);
            command.ExecuteNonQuery();
        }
        using (var written = File.Open(partial, FileMode.Open, FileAccess.ReadWrite))
            written.Flush(flushToDisk: true);
        File.Move(partial, to, overwrite: true);
    }

    public void Dispose()
    {
        _statements.Dispose();
        _connection.Dispose();
    }

    private static SqliteConnection Connect(string path, SqliteOpenMode mode) =>
        new(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false, DefaultTimeout = 5 }.ToString());

    private static void Migrate(SqliteConnection connection)
    {
        var version = (long)Scalar(connection, "PRAGMA user_version")!;
        if (version > SchemaVersion)
            throw new InvalidDataException($"the file has schema version {version}, and this program knows version {SchemaVersion}: it was written by a newer one");
        if (version == SchemaVersion)
            return;
        using var transaction = connection.BeginTransaction();
        if (version < 1)
            Run(connection, First);
        // What is there already goes out under an id made of the message's own, and nobody knows what of it has been sent.
        Run(connection, """
            ALTER TABLE delivery ADD COLUMN packet_id INTEGER NOT NULL DEFAULT 0;
            -- As of when the session was closed; while it is open, anything may be.
            ALTER TABLE delivery ADD COLUMN may_be_sent INTEGER NOT NULL DEFAULT 1;
            PRAGMA user_version = 2;
            """);
        transaction.Commit();
    }

    private (Guid? LogId, long Sequence, long NextSessionId, long NextMessageId) ReadPosition()
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "SELECT log_id, sequence, next_session_id, next_message_id FROM position";
        using var reader = command.ExecuteReader();
        if (!reader.Read())
            throw new InvalidDataException("the file has no position");
        return (reader.IsDBNull(0) ? null : Guid.Parse(reader.GetString(0)), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private static long Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
}
