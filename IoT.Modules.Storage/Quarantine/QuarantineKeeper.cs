using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Quarantine;

/// <summary>Puts entries into the quarantine and keeps it within its bounds of count and age, the oldest going first.</summary>
internal sealed partial class QuarantineKeeper(PostgresPools database, StorageOptions options, TimeProvider time, ILogger<QuarantineKeeper> logger)
{
    private const string Insert =
        """
        insert into quarantine (device_id, topic, protocol, received_at, reason, length, bytes)
        select * from unnest(@DeviceIds, @Topics, @Protocols, @ReceivedAts, @Reasons, @Lengths, @Bytes)
        """;

    private const string Trim =
        """
        with gone as (
            delete from quarantine
            where received_at < @Oldest or id <= (select id from quarantine order by id desc offset @Most limit 1)
            returning received_at < @Oldest as was_old
        )
        select count(*)::int as dropped, (count(*) filter (where not was_old))::int as for_room from gone
        """;

    /// <summary>What is news, for alarms.</summary>
    public static readonly TimeSpan Lately = TimeSpan.FromMinutes(15);

    private readonly Lock _lock = new();
    private readonly List<(DateTimeOffset Minute, int Came, int Dropped)> _changes = [];

    /// <summary>How many entries came, and how many were dropped for want of room, in the last while.</summary>
    public (int Came, int Dropped) LatelyChanged
    {
        get
        {
            lock (_lock)
            {
                Forget();
                return (_changes.Sum(change => change.Came), _changes.Sum(change => change.Dropped));
            }
        }
    }

    public static async Task InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<QuarantineEntry> entries, CancellationToken cancellationToken)
    {
        if (entries.Count == 0)
            return;
        await connection.ExecuteAsync(new CommandDefinition(Insert, new
        {
            DeviceIds = Column(entry => entry.DeviceId, NpgsqlDbType.Text),
            Topics = Column(entry => entry.Topic, NpgsqlDbType.Text),
            Protocols = Column(entry => entry.Protocol, NpgsqlDbType.Text),
            ReceivedAts = Column(entry => entry.ReceivedAt, NpgsqlDbType.TimestampTz),
            Reasons = Column(entry => entry.Reason, NpgsqlDbType.Text),
            Lengths = Column(entry => entry.Length, NpgsqlDbType.Bigint),
            Bytes = Column(entry => entry.Bytes.ToArray(), NpgsqlDbType.Bytea),
        }, transaction, cancellationToken: cancellationToken));

        ArrayParameter<T> Column<T>(Func<QuarantineEntry, T> value, NpgsqlDbType type) => new([.. entries.Select(value)], type);
    }

    public async Task KeepAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var (dropped, forRoom) = await connection.QuerySingleAsync<(int, int)>(new CommandDefinition(Trim, new
        {
            Oldest = new TypedParameter<object>(time.GetUtcNow().UtcDateTime.AddDays(-options.QuarantineDays), NpgsqlDbType.TimestampTz),
            Most = options.QuarantineEntries,
        }, cancellationToken: cancellationToken));
        if (dropped > 0)
            LogDropped(dropped);
        if (forRoom > 0)
            Note(0, forRoom);
    }

    /// <summary>The same right after entries came in; what fails is done by the next.</summary>
    public async Task TryKeepAsync(int came, CancellationToken cancellationToken)
    {
        Note(came, 0);
        try
        {
            await KeepAsync(cancellationToken);
        }
        catch (System.Data.Common.DbException exception)
        {
            LogFailed(exception);
        }
    }

    // By the minute, so that a flood of entries takes no memory.
    private void Note(int came, int dropped)
    {
        lock (_lock)
        {
            Forget();
            var now = time.GetUtcNow();
            var minute = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMinute));
            if (_changes.Count > 0 && _changes[^1].Minute == minute)
                _changes[^1] = (minute, _changes[^1].Came + came, _changes[^1].Dropped + dropped);
            else
                _changes.Add((minute, came, dropped));
        }
    }

    private void Forget() => _changes.RemoveAll(change => time.GetUtcNow() - change.Minute > Lately);

    [LoggerMessage(1160, LogLevel.Warning, "The quarantine is over its bounds: its {Count} oldest entries are dropped")]
    private partial void LogDropped(int count);

    [LoggerMessage(1161, LogLevel.Warning, "The quarantine could not be kept within its bounds; the next try comes with the next entry")]
    private partial void LogFailed(Exception exception);
}
