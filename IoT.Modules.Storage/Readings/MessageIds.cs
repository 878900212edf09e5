using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

/// <summary>
/// The message ids that devices have used, for as long as the settings say, in partitions that follow one another in time: a new one is
/// begun after a quarter of that time, or when the last has an eighth of the disk that all may take; the oldest is dropped whole. So
/// their disk is bounded, and an id is looked up in some ten indexes at most.
/// </summary>
internal sealed partial class MessageIds(PostgresPools database, StorageOptions options, TimeProvider time, ILogger<MessageIds> logger) : IDisposable
{
    private const long MiB = 1024 * 1024;
    private const int SmallestId = 128;

    // A row for each reading, not a join: the planner may not read the ids whole, however few it believes there are.
    private const string SelectKnown =
        """
        set local enable_seqscan = off;
        select r.n::int from unnest(@DeviceIds, @MessageIds) with ordinality as r (device_id, message_id, n)
        cross join lateral (select 1 from message_ids m where m.device_id = r.device_id and m.message_id = r.message_id limit 1) known
        """;

    private const string InsertIds =
        """
        insert into message_ids (part, device_id, message_id)
        select @Part, device_id, message_id from unnest(@DeviceIds, @MessageIds) as r (device_id, message_id)
        """;

    private readonly SemaphoreSlim _gate = new(1);
    private readonly TimeSpan _window = TimeSpan.FromHours(options.MessageIdHours);
    private readonly long _budget = options.MessageIdsMiB * MiB;
    private Part? _current;
    private long _unchecked;

    private sealed record Part(int Number, DateTime OpenedAt, long Bytes);

    /// <summary>What is kept now.</summary>
    /// <param name="ShrunkTo">How far back ids are known when that is less than the settings say; null otherwise.</param>
    internal sealed record KeptIds(long Bytes, long Budget, TimeSpan Window, TimeSpan? ShrunkTo);

    public KeptIds Kept { get; private set; } = new(0, options.MessageIdsMiB * MiB, TimeSpan.FromHours(options.MessageIdHours), null);

    private TimeSpan PartWindow => _window / 4;

    private long PartBytes => _budget / 8;

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    public void Dispose() => _gate.Dispose();

    /// <summary>The partition that takes ids now; begun when there is none or the last has had its time or its share.</summary>
    public async ValueTask<int> CurrentPartAsync(int more, CancellationToken cancellationToken)
    {
        var current = Volatile.Read(ref _current);
        // Its size is looked at again when it may have grown by a quarter of its share.
        if (current is not null && Now < current.OpenedAt + PartWindow && Interlocked.Add(ref _unchecked, more) < PartBytes / (4 * SmallestId))
            return current.Number;
        return (await KeepAsync(mayBegin: true, cancellationToken))!.Number;
    }

    /// <summary>Asks the database again which partition takes ids.</summary>
    public void Forget() => Volatile.Write(ref _current, null);

    /// <summary>Drops what is old or too much.</summary>
    public Task KeepAsync(CancellationToken cancellationToken) => KeepAsync(mayBegin: false, cancellationToken);

    /// <summary>Those of the readings that have no id, or one that is not known and has not come before among them.</summary>
    public static async Task<Reading[]> WithoutKnownAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Reading[] readings, CancellationToken cancellationToken)
    {
        var identified = readings.Where(r => r.MessageId is not null).ToArray();
        var places = await connection.QueryAsync<int>(new CommandDefinition(SelectKnown, ParametersOf(identified), transaction, cancellationToken: cancellationToken));
        var known = places.Select(n => (identified[n - 1].Device.Uuid, identified[n - 1].MessageId)).ToHashSet();
        return Array.FindAll(readings, r => r.MessageId is null || known.Add((r.Device.Uuid, r.MessageId)));
    }

    public static async Task InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, int part, Reading[] readings, CancellationToken cancellationToken)
    {
        var identified = Array.FindAll(readings, r => r.MessageId is not null);
        if (identified.Length > 0)
            await connection.ExecuteAsync(new CommandDefinition(InsertIds, ParametersOf(identified, part), transaction, cancellationToken: cancellationToken));
    }

    private static object ParametersOf(Reading[] identified, int part = 0) => new
    {
        Part = part,
        DeviceIds = new ArrayParameter<Guid>(Array.ConvertAll(identified, r => r.Device.Uuid), NpgsqlDbType.Uuid),
        MessageIds = new ArrayParameter<string>(Array.ConvertAll(identified, r => r.MessageId!), NpgsqlDbType.Text),
    };

    private async Task<Part?> KeepAsync(bool mayBegin, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            Interlocked.Exchange(ref _unchecked, 0);
            await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
            var parts = await BeginAsync(connection, mayBegin, cancellationToken);
            while (parts.Count > 1 && (parts[1].OpenedAt + _window <= Now || parts.Sum(p => p.Bytes) > _budget))
            {
                var isEarly = parts[1].OpenedAt + _window > Now;
                await DropAsync(connection, parts[0], cancellationToken);
                if (isEarly)
                    LogShrunk(options.MessageIdHours, options.MessageIdsMiB);
                parts.RemoveAt(0);
            }
            // Nothing is missing while the first partition of all is there.
            var reach = parts.Count == 0 || parts[0].Number == 1 ? (TimeSpan?)null : Now - parts[0].OpenedAt;
            Kept = new KeptIds(parts.Sum(p => p.Bytes), _budget, _window, reach < _window ? reach : null);
            Volatile.Write(ref _current, parts.Count == 0 ? null : parts[^1]);
            return _current;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<List<Part>> BeginAsync(NpgsqlConnection connection, bool mayBegin, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            "select pg_advisory_xact_lock(@AdvisoryLock)", new { Migrator.AdvisoryLock }, transaction, cancellationToken: cancellationToken));
        var parts = (await connection.QueryAsync<Part>(new CommandDefinition(
            "select part as number, opened_at, pg_total_relation_size(format('message_ids_p%s', part)::regclass) as bytes from message_id_parts order by part",
            transaction: transaction, cancellationToken: cancellationToken))).AsList();
        var newest = parts.Count == 0 ? null : parts[^1];
        if (mayBegin && (newest is null || newest.OpenedAt + PartWindow <= Now || newest.Bytes >= PartBytes))
        {
            var next = new Part((newest?.Number ?? 0) + 1, Now, 0);
            // CREATE and ATTACH: CREATE TABLE … PARTITION OF would lock the parent against ingest.
            await connection.ExecuteAsync(new CommandDefinition(FormattableString.Invariant(
                $"""
                 create table message_ids_p{next.Number} (like message_ids including defaults);
                 alter table message_ids attach partition message_ids_p{next.Number} for values in ({next.Number});
                 """), transaction: transaction, cancellationToken: cancellationToken));
            await connection.ExecuteAsync(new CommandDefinition(
                "insert into message_id_parts (part, opened_at) values (@Number, @OpenedAt)",
                new { next.Number, OpenedAt = new TypedParameter<object>(next.OpenedAt, NpgsqlDbType.TimestampTz) }, transaction, cancellationToken: cancellationToken));
            parts.Add(next);
        }
        await transaction.CommitAsync(cancellationToken);
        return parts;
    }

    private static async Task DropAsync(NpgsqlConnection connection, Part part, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // It waits for the writers that are in a transaction now, and the next ones for it: not for long.
        await connection.ExecuteAsync(new CommandDefinition(FormattableString.Invariant(
            $"""
             set local lock_timeout = '5s';
             delete from message_id_parts where part = {part.Number};
             drop table message_ids_p{part.Number};
             """), transaction: transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
    }

    [LoggerMessage(1150, LogLevel.Warning, "Message ids take more disk in less than {Hours} h than the {MiB} MiB of Storage__MessageIdsMiB: the oldest are forgotten early")]
    private partial void LogShrunk(int hours, int miB);
}

/// <summary>Degraded while message ids are known for less time than the settings say.</summary>
internal sealed class MessageIdHealth(MessageIds ids) : IHealthCheck
{
    private const long MiB = 1024 * 1024;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var kept = ids.Kept;
        var size = FormattableString.Invariant($"{kept.Bytes / MiB} of {kept.Budget / MiB} MiB");
        return Task.FromResult(kept.ShrunkTo is { } reach
            ? AlarmHealth.Of(size, [new Alarm(
                "message_ids_shrunk", AlarmLevel.Warning,
                FormattableString.Invariant($"ids are known for the last {reach.TotalHours:0.0} h only, not for {kept.Window.TotalHours:0}; a reading sent again later than that is stored again. Storage__MessageIdsMiB is too small for this many"),
                "Raise Storage__MessageIdsMiB, or lower Storage__MessageIdHours.")])
            : AlarmHealth.Of(FormattableString.Invariant($"{size}, known for {kept.Window.TotalHours:0} h"), []));
    }
}
