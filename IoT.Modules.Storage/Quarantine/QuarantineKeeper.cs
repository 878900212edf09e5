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
        delete from quarantine
        where received_at < @Oldest or id <= (select id from quarantine order by id desc offset @Most limit 1)
        """;

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
        var dropped = await connection.ExecuteAsync(new CommandDefinition(Trim, new
        {
            Oldest = new TypedParameter<object>(time.GetUtcNow().UtcDateTime.AddDays(-options.QuarantineDays), NpgsqlDbType.TimestampTz),
            Most = options.QuarantineEntries,
        }, cancellationToken: cancellationToken));
        if (dropped > 0)
            LogDropped(dropped);
    }

    /// <summary>The same right after entries came in; what fails is done by the next.</summary>
    public async Task TryKeepAsync(CancellationToken cancellationToken)
    {
        try
        {
            await KeepAsync(cancellationToken);
        }
        catch (System.Data.Common.DbException exception)
        {
            LogFailed(exception);
        }
    }

    [LoggerMessage(1160, LogLevel.Warning, "The quarantine is over its bounds: its {Count} oldest entries are dropped")]
    private partial void LogDropped(int count);

    [LoggerMessage(1161, LogLevel.Warning, "The quarantine could not be kept within its bounds; the next try comes with the next entry")]
    private partial void LogFailed(Exception exception);
}
