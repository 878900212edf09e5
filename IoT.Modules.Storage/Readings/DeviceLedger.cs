using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>The counts by device, moved in the transaction of what they count. Rows are locked in the order of their keys.</summary>
internal static class DeviceLedger
{
    private const string Columns = "device_id, stored, duplicate, quarantined, version";

    /// <summary>As the last part of a statement: <c>{Insert} where … {Upsert}</c>.</summary>
    public const string Insert =
        """
        insert into device_ledger as l (device_id, stored, duplicate, quarantined, version)
        select device_id, stored, duplicate, quarantined, 1
        from unnest(@LedgerIds, @LedgerStored, @LedgerDuplicate, @LedgerQuarantined) as c (device_id, stored, duplicate, quarantined)
        """;

    public const string Upsert =
        $"""
         order by device_id collate "C"
         on conflict (device_id) do update set
             stored = l.stored + excluded.stored, duplicate = l.duplicate + excluded.duplicate,
             quarantined = l.quarantined + excluded.quarantined, version = l.version + 1
         returning {Columns}
         """;

    public static async Task<IReadOnlyList<LedgerCounts>> CountAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Tally tally, CancellationToken cancellationToken) =>
        tally.IsEmpty
            ? []
            : (await connection.QueryAsync<LedgerCounts>(new CommandDefinition($"{Insert} {Upsert}", tally.AddTo(new DynamicParameters()), transaction, cancellationToken: cancellationToken))).AsList();

    public static async Task<IReadOnlyList<LedgerCounts>> ReadAsync(NpgsqlConnection connection, IEnumerable<string> deviceIds, CancellationToken cancellationToken) =>
        (await connection.QueryAsync<LedgerCounts>(new CommandDefinition(
            $"select {Columns} from device_ledger where device_id = any(@Ids)",
            new { Ids = new ArrayParameter<string>([.. deviceIds.Distinct()], NpgsqlDbType.Text) }, cancellationToken: cancellationToken))).AsList();

    /// <summary>An entry has left the quarantine to be brought in again.</summary>
    public static Task<LedgerCounts?> TakeBackAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string deviceId, CancellationToken cancellationToken) =>
        connection.QuerySingleOrDefaultAsync<LedgerCounts>(new CommandDefinition(
            $"update device_ledger set quarantined = quarantined - 1, version = version + 1 where device_id = @deviceId returning {Columns}",
            new { deviceId }, transaction, cancellationToken: cancellationToken));

    /// <summary>What one batch adds, by device.</summary>
    internal sealed class Tally
    {
        private readonly Dictionary<string, (long Stored, long Duplicate, long Quarantined)> _counts = new(StringComparer.Ordinal);

        public bool IsEmpty => _counts.Count == 0;

        public void Add(string deviceId, int stored = 0, int duplicate = 0, int quarantined = 0)
        {
            ref var counts = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_counts, deviceId, out _);
            counts = (counts.Stored + stored, counts.Duplicate + duplicate, counts.Quarantined + quarantined);
        }

        public DynamicParameters AddTo(DynamicParameters parameters)
        {
            parameters.Add("LedgerIds", new ArrayParameter<string>([.. _counts.Keys], NpgsqlDbType.Text));
            parameters.Add("LedgerStored", new ArrayParameter<long>([.. _counts.Values.Select(c => c.Stored)], NpgsqlDbType.Bigint));
            parameters.Add("LedgerDuplicate", new ArrayParameter<long>([.. _counts.Values.Select(c => c.Duplicate)], NpgsqlDbType.Bigint));
            parameters.Add("LedgerQuarantined", new ArrayParameter<long>([.. _counts.Values.Select(c => c.Quarantined)], NpgsqlDbType.Bigint));
            return parameters;
        }
    }
}

internal sealed class LoadLedgerHandler(PostgresPools database) : IRequestHandler<LoadLedger, IReadOnlyList<LedgerRow>>
{
    private sealed record Row(string DeviceId, long Stored, long Duplicate, long Quarantined, long Version, long Answered, long Rejected);

    public async Task<IReadOnlyList<LedgerRow>> Handle(LoadLedger request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new CommandDefinition(
            "select device_id, stored, duplicate, quarantined, version, answered, rejected from device_ledger", cancellationToken: cancellationToken));
        return [.. rows.Select(r => new LedgerRow(new LedgerCounts(r.DeviceId, r.Stored, r.Duplicate, r.Quarantined, r.Version), r.Answered, r.Rejected))];
    }
}

internal sealed class AddToLedgerHandler(PostgresPools database) : IRequestHandler<AddToLedger, Done>
{
    public async Task<Done> Handle(AddToLedger request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into device_ledger as l (device_id, answered, rejected)
            select device_id, answered, rejected from unnest(@Ids, @Answered, @Rejected) as c (device_id, answered, rejected) order by device_id collate "C"
            on conflict (device_id) do update set answered = l.answered + excluded.answered, rejected = l.rejected + excluded.rejected
            """,
            new
            {
                Ids = new ArrayParameter<string>([.. request.Deltas.Select(d => d.DeviceId)], NpgsqlDbType.Text),
                Answered = new ArrayParameter<long>([.. request.Deltas.Select(d => d.Answered)], NpgsqlDbType.Bigint),
                Rejected = new ArrayParameter<long>([.. request.Deltas.Select(d => d.Rejected)], NpgsqlDbType.Bigint),
            },
            cancellationToken: cancellationToken));
        return default;
    }
}
