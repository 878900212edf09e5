using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using MediatR;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

internal sealed class StoreReadingsHandler(PostgresPools database, MonthlyPartitions partitions, IMediator mediator, TimeProvider time)
    : IRequestHandler<StoreReadings, IReadOnlyList<string?>>
{
    private const string InsertReadings =
        """
        insert into device_data (device_id, timestamp, data_type, payload)
        select device_id, timestamp, data_type, payload
        from unnest(@DeviceIds, @Timestamps, @DataTypes, @Payloads) as r (device_id, timestamp, data_type, payload)
        """;

    // A device that came without being created first gets its row with its first reading.
    private const string InsertDevices =
        """
        insert into devices (id, external_id, token_hash)
        select id, external_id, token_hash from unnest(@Ids, @ExternalIds, @TokenHashes) as d (id, external_id, token_hash)
        on conflict do nothing
        """;

    public async Task<IReadOnlyList<string?>> Handle(StoreReadings request, CancellationToken cancellationToken)
    {
        var readings = request.Readings as Reading[] ?? [.. request.Readings];
        var refusals = new string?[readings.Length];
        foreach (var month in readings.Select(r => MonthlyPartitions.MonthOf(r.Timestamp)).Distinct())
            await partitions.EnsureAsync(month, cancellationToken);

        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await StoreAsync(connection, readings, refusals, cancellationToken);

        var now = time.GetUtcNow().UtcDateTime;
        var stored = new List<Reading>(readings.Length);
        for (var i = 0; i < readings.Length; i++)
        {
            if (refusals[i] is not null)
                continue;
            readings[i].Device.LastSeen = now;
            stored.Add(readings[i]);
        }
        if (stored.Count > 0)
            await mediator.Publish(new ReadingsStored(stored), cancellationToken);
        return refusals;
    }

    /// <summary>All in one transaction; what PostgreSQL refuses is split until the refused reading stands alone.</summary>
    private static async Task StoreAsync(NpgsqlConnection connection, ArraySegment<Reading> readings, ArraySegment<string?> refusals, CancellationToken cancellationToken)
    {
        try
        {
            await InsertAsync(connection, readings, cancellationToken);
        }
        catch (PostgresException exception) when (IsAboutTheData(exception))
        {
            if (readings.Count == 1)
            {
                refusals[0] = $"PostgreSQL refuses it: {exception.MessageText}";
                return;
            }
            var half = readings.Count / 2;
            await StoreAsync(connection, readings[..half], refusals[..half], cancellationToken);
            await StoreAsync(connection, readings[half..], refusals[half..], cancellationToken);
        }
    }

    private static async Task InsertAsync(NpgsqlConnection connection, ArraySegment<Reading> readings, CancellationToken cancellationToken)
    {
        var batch = new
        {
            DeviceIds = new ArrayParameter<Guid>([.. readings.Select(r => r.Device.Uuid)], NpgsqlDbType.Uuid),
            Timestamps = new ArrayParameter<DateTime>([.. readings.Select(r => r.Timestamp)], NpgsqlDbType.TimestampTz),
            DataTypes = new ArrayParameter<string>([.. readings.Select(r => r.DataType)], NpgsqlDbType.Varchar),
            Payloads = new ArrayParameter<string>([.. readings.Select(r => System.Text.Encoding.UTF8.GetString(r.Payload.Span))], NpgsqlDbType.Jsonb),
        };
        DeviceEntry[] newDevices = [.. readings.Select(r => r.Device).Where(d => !d.IsRegistered).Distinct()];
        if (newDevices.Length == 0)
        {
            await connection.ExecuteAsync(new CommandDefinition(InsertReadings, batch, cancellationToken: cancellationToken));
            return;
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(InsertDevices, new
        {
            Ids = new ArrayParameter<Guid>([.. newDevices.Select(d => d.Uuid)], NpgsqlDbType.Uuid),
            ExternalIds = new ArrayParameter<string>([.. newDevices.Select(d => d.Id)], NpgsqlDbType.Text),
            TokenHashes = new ArrayParameter<byte[]?>([.. newDevices.Select(d => d.TokenHash)], NpgsqlDbType.Bytea),
        }, transaction, cancellationToken: cancellationToken));
        await connection.ExecuteAsync(new CommandDefinition(InsertReadings, batch, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        foreach (var device in newDevices)
            device.IsRegistered = true;
    }

    /// <summary>Classes 22 (data exception), 23 (constraint) and 54 (a limit): the same data would be refused again.</summary>
    private static bool IsAboutTheData(PostgresException exception) =>
        exception.SqlState.Length == 5 && exception.SqlState[..2] is "22" or "23" or "54";
}
