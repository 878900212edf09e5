using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>
/// The counts by device. What a write adds is one row in <c>ledger_pending</c>, in the transaction of what it counts: with 5,000 devices
/// in a batch, bringing a row a device up to date cost more than the index of the readings. <see cref="FoldLedgerHandler"/> does that later.
/// </summary>
internal static class DeviceLedger
{
    /// <summary>As a part of a statement; a <c>where</c> may follow.</summary>
    public const string Insert = "insert into ledger_pending (device_ids, stored, duplicate, quarantined) select @LedgerIds, @LedgerStored, @LedgerDuplicate, @LedgerQuarantined";

    public static async Task AddAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Tally tally, CancellationToken cancellationToken)
    {
        if (!tally.IsEmpty)
            await connection.ExecuteAsync(new CommandDefinition(Insert, tally.AddTo(new DynamicParameters()), transaction, cancellationToken: cancellationToken));
    }

    /// <summary>What one batch adds, by device. An id that comes as two strings stands twice: whoever takes the counts adds them up.</summary>
    internal sealed class Tally
    {
        // The ids of known devices are one string each, and a hash of their text for every reading cost more than all the rest here.
        private readonly Dictionary<string, (int Stored, int Duplicate, int Quarantined)> _counts = new(ReferenceEqualityComparer.Instance);

        public bool IsEmpty => _counts.Count == 0;

        public void Add(string deviceId, int stored = 0, int duplicate = 0, int quarantined = 0)
        {
            ref var counts = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_counts, deviceId, out _);
            counts = (counts.Stored + stored, counts.Duplicate + duplicate, counts.Quarantined + quarantined);
        }

        public IReadOnlyList<LedgerCounts> Counts() => [.. _counts.Select(pair => new LedgerCounts(pair.Key, pair.Value.Stored, pair.Value.Duplicate, pair.Value.Quarantined))];

        public DynamicParameters AddTo(DynamicParameters parameters)
        {
            parameters.Add("LedgerIds", new ArrayParameter<string>([.. _counts.Keys], NpgsqlDbType.Text));
            parameters.Add("LedgerStored", new ArrayParameter<int>([.. _counts.Values.Select(c => c.Stored)], NpgsqlDbType.Integer));
            parameters.Add("LedgerDuplicate", new ArrayParameter<int>([.. _counts.Values.Select(c => c.Duplicate)], NpgsqlDbType.Integer));
            parameters.Add("LedgerQuarantined", new ArrayParameter<int>([.. _counts.Values.Select(c => c.Quarantined)], NpgsqlDbType.Integer));
            return parameters;
        }
    }
}

internal sealed class LoadLedgerHandler(PostgresPools database) : IRequestHandler<LoadLedger, IReadOnlyList<LedgerRow>>
{
    private sealed record Row(string DeviceId, long Stored, long Duplicate, long Quarantined, long Answered, long Rejected);

    public async Task<IReadOnlyList<LedgerRow>> Handle(LoadLedger request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new CommandDefinition(
            """
            select device_id, sum(stored)::bigint as stored, sum(duplicate)::bigint as duplicate, sum(quarantined)::bigint as quarantined,
                sum(answered)::bigint as answered, sum(rejected)::bigint as rejected
            from (
                select device_id, stored, duplicate, quarantined, answered, rejected from device_ledger
                union all
                select c.device_id, c.stored, c.duplicate, c.quarantined, 0, 0
                from ledger_pending p, unnest(p.device_ids, p.stored, p.duplicate, p.quarantined) as c (device_id, stored, duplicate, quarantined)
            ) as counts
            group by device_id
            """, cancellationToken: cancellationToken));
        return [.. rows.Select(r => new LedgerRow(new LedgerCounts(r.DeviceId, r.Stored, r.Duplicate, r.Quarantined), r.Answered, r.Rejected))];
    }
}

internal sealed class FoldLedgerHandler(PostgresPools database) : IRequestHandler<FoldLedger, Done>
{
    // After so many rows their room is given back; autovacuum would come by once a minute.
    private const int VacuumAfterRows = 1_000;

    private static int s_sinceVacuum;

    public async Task<Done> Handle(FoldLedger request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        // In the order of keys, as whoever else writes them: two hosts don't lock each other out.
        var rows = await connection.ExecuteScalarAsync<int>(new CommandDefinition(
            """
            with gone as (delete from ledger_pending returning device_ids, stored, duplicate, quarantined),
                counts as (
                    select c.device_id, sum(c.stored) as stored, sum(c.duplicate) as duplicate, sum(c.quarantined) as quarantined
                    from gone g, unnest(g.device_ids, g.stored, g.duplicate, g.quarantined) as c (device_id, stored, duplicate, quarantined)
                    group by c.device_id
                ),
                added as (
                    insert into device_ledger as l (device_id, stored, duplicate, quarantined)
                    select device_id, stored, duplicate, quarantined from counts order by device_id collate "C"
                    on conflict (device_id) do update set
                        stored = l.stored + excluded.stored, duplicate = l.duplicate + excluded.duplicate, quarantined = l.quarantined + excluded.quarantined
                )
            select count(*)::int from gone
            """, cancellationToken: cancellationToken));
        if (Interlocked.Add(ref s_sinceVacuum, rows) < VacuumAfterRows)
            return default;
        Interlocked.Exchange(ref s_sinceVacuum, 0);
        await connection.ExecuteAsync(new CommandDefinition("vacuum (truncate false) ledger_pending", commandTimeout: 0, cancellationToken: cancellationToken));
        return default;
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
