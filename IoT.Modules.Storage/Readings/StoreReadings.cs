using System.Buffers;
using System.Text.Json;
using Dapper;
using IoT.Modules.Storage.Cache;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.Quarantine;
using IoT.Modules.Storage.Summaries;
using MediatR;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Readings;

internal sealed partial class StoreReadingsHandler(
    PostgresPools database, ReadingPartitions partitions, PendingSummaries summaries, DeviceSeries series, MessageIds messageIds, QuarantineKeeper quarantine, StoreActivity activity, ReadingCaches caches, IMediator mediator, TimeProvider time,
    ILogger<StoreReadingsHandler> logger)
    : IRequestHandler<StoreReadings, StoreResult>
{
    // The position moves only from where the lane stood: of two writers, or of a write that is tried again after a commit whose
    // answer was lost, one moves nothing and stores nothing.
    private const string Move =
        "update ingest_checkpoint set position = @To, left_out = null where log_id = @LogId and lane = @Lane and position = @Sequence returning 1";

    private const string SelectReadings =
        """
        select device_id, timestamp, data_type, payload
        from unnest(@DeviceIds, @Timestamps, @DataTypes, @Payloads) as r (device_id, timestamp, data_type, payload)
        """;

    private const string InsertReadings = $"insert into device_data (device_id, timestamp, data_type, payload) {SelectReadings}";

    // What goes with the readings of a lane.
    private const string Beside =
        $"""
         summarised as ({PendingSummaries.Insert} where exists (select 1 from moved)),
             known as ({DeviceSeries.Insert} where exists (select 1 from moved) {DeviceSeries.Upsert}),
             counted as ({DeviceLedger.Insert} where exists (select 1 from moved))
         """;

    private const string NextIds = "select array_agg(nextval('device_data_id_seq')) from generate_series(1, @Count)";

    // Everything but the readings, which follow by COPY in the same transaction, under these ids; no row: nothing was moved.
    private const string MoveAndTakeIds = $"with moved as ({Move}), {Beside} {NextIds} where exists (select 1 from moved) having count(*) > 0";

    // All in one statement, hence one transaction and one round trip. The ids come in the order of the readings; no row: nothing was moved.
    private const string MoveAndInsert =
        $"""
         with moved as ({Move}), inserted as ({InsertReadings} where exists (select 1 from moved) returning id), {Beside}
         select array_agg(id) from inserted having count(*) > 0
         """;

    // A device that came without being created first gets its row with its first reading.
    private const string InsertDevices =
        """
        insert into devices (id, external_id, token_hash)
        select id, external_id, token_hash from unnest(@Ids, @ExternalIds, @TokenHashes) as d (id, external_id, token_hash)
        on conflict do nothing
        """;

    /// <param name="Taken">The readings but for duplicates.</param>
    /// <param name="Ids">Of those of them that are stored; null when they are not known.</param>
    private readonly record struct Written(Reading[] Taken, long[]? Ids, IReadOnlyList<LedgerCounts> Ledger);

    public async Task<StoreResult> Handle(StoreReadings request, CancellationToken cancellationToken)
    {
        activity.Begin(request.From);
        var result = await StoreAsync(request, cancellationToken);
        // Not when it fails: whether its transaction is committed is known only after the next try.
        activity.End(request.From);
        return result;
    }

    private async Task<StoreResult> StoreAsync(StoreReadings request, CancellationToken cancellationToken)
    {
        request = await partitions.PlaceAsync(request, cancellationToken);
        var readings = request.Readings as Reading[] ?? [.. request.Readings];

        var identified = readings.Count(r => r.MessageId is not null);
        int? part = identified == 0 ? null : await messageIds.CurrentPartAsync(identified, cancellationToken);

        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        List<Reading> quarantined = [];
        Written? written;
        try
        {
            written = await StoreAsync(connection, request, readings, part, cancellationToken);
        }
        catch (PostgresException exception) when (ReadingPartitions.IsMissing(exception))
        {
            partitions.Partitions.Forget(); // The next try makes it, or knows why not.
            throw;
        }
        catch (PostgresException exception) when (readings.Length > 0 && IsAboutTheData(exception))
        {
            messageIds.Forget(); // It is about the data, or about the partition: the next try knows.
            written = await StoreOneByOneAsync(connection, request, readings, part, quarantined, cancellationToken);
        }
        if (written is null)
        {
            var leftOut = await ReadLeftOutAsync(connection, request, cancellationToken);
            quarantined.AddRange(leftOut.Where(place => place < 0).Select(place => readings[-1 - place]));
            var duplicates = leftOut.Where(place => place >= 0).ToHashSet();
            var others = readings.Where((_, place) => !duplicates.Contains(place)).ToArray();
            written = new Written(others, null, TallyOf(request, readings, others, quarantined).Counts());
        }
        var (taken, ids, ledger) = written.Value;

        var now = time.GetUtcNow().UtcDateTime;
        foreach (var reading in readings)
        {
            reading.Device.IsRegistered = true;
            reading.Device.LastSeen = now;
        }
        var stored = quarantined.Count == 0 ? taken : [.. taken.Where(r => !quarantined.Contains(r))];
        // Before the lane's position is known to have moved: whoever waits for that finds no older value.
        caches.Stored(stored);
        if (stored.Length > 0)
            await PublishAsync(stored, ids, cancellationToken);
        var kept = quarantined.Count + request.Quarantine.Count;
        if (kept > 0)
            await quarantine.TryKeepAsync(kept, cancellationToken);
        return new StoreResult(stored.Length, readings.Length - taken.Length, kept, ledger);
    }

    /// <summary>Null when the lane did not stand where the request says.</summary>
    private async Task<Written?> StoreAsync(
        NpgsqlConnection connection, StoreReadings request, Reading[] readings, int? part, CancellationToken cancellationToken)
    {
        var newDevices = NewDevices(readings);
        if (newDevices.Length == 0 && part is null && request.Quarantine.Count == 0 && readings.Length > 0)
            return await StorePlainAsync(connection, request, readings, cancellationToken);

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await MoveAsync(connection, transaction, request, cancellationToken))
            return null;
        await InsertDevicesAsync(connection, transaction, newDevices, cancellationToken);
        var taken = await TakeIdsAsync(connection, transaction, readings, part, cancellationToken);
        var ids = await InsertTakenAsync(connection, transaction, request, taken, cancellationToken);
        await summaries.InsertAsync(connection, transaction, taken, cancellationToken);
        var unknownSeries = await series.InsertAsync(connection, transaction, taken, cancellationToken);
        await QuarantineKeeper.InsertAsync(connection, transaction, request.Quarantine, cancellationToken);
        await LeaveOutAsync(connection, transaction, request, readings, taken, [], cancellationToken);
        var tally = TallyOf(request, readings, taken, []);
        await DeviceLedger.AddAsync(connection, transaction, tally, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        series.Know(unknownSeries, taken);
        return new Written(taken, ids, tally.Counts());
    }

    /// <summary>Readings of known devices, without message ids, and nothing else: what most batches are.</summary>
    private async Task<Written?> StorePlainAsync(NpgsqlConnection connection, StoreReadings request, Reading[] readings, CancellationToken cancellationToken)
    {
        var tally = TallyOf(request, readings, readings, []);
        var unknown = series.NotKnown(readings);
        var isLarge = readings.Length >= ReadingCopy.WorthItFrom;
        var parameters = unknown.AddTo(summaries.AddTo(tally.AddTo(new DynamicParameters(isLarge ? PlaceOf(request) : ParametersOf(request, readings))), readings));
        long[]? ids;
        if (isLarge)
        {
            parameters.Add("Count", readings.Length);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            ids = await connection.ExecuteScalarAsync<long[]?>(new CommandDefinition(MoveAndTakeIds, parameters, transaction, cancellationToken: cancellationToken));
            if (ids is null)
                return null;
            await ReadingCopy.WriteAsync(connection, ids, readings, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        else
        {
            ids = await connection.ExecuteScalarAsync<long[]?>(new CommandDefinition(MoveAndInsert, parameters, cancellationToken: cancellationToken));
            if (ids is null)
                return null;
        }
        series.Know(unknown, readings);
        return new Written(readings, ids, tally.Counts());
    }

    /// <summary>
    /// Splits what PostgreSQL refuses, behind savepoints, until the refused reading stands alone and can be quarantined; still one
    /// transaction.
    /// </summary>
    private async Task<Written?> StoreOneByOneAsync(
        NpgsqlConnection connection, StoreReadings request, Reading[] readings, int? part, List<Reading> quarantined, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await MoveAsync(connection, transaction, request, cancellationToken))
            return null;
        await InsertDevicesAsync(connection, transaction, NewDevices(readings), cancellationToken);
        // The id of a reading that turns out to be refused is taken too: sent again, it is still the one in the quarantine.
        var taken = await TakeIdsAsync(connection, transaction, readings, part, cancellationToken);
        var ids = new List<long>();
        await SplitAsync(connection, transaction, request, taken, ids, quarantined, cancellationToken);
        Reading[] kept = [.. taken.Where(r => !quarantined.Contains(r))];
        await summaries.InsertAsync(connection, transaction, kept, cancellationToken);
        var unknownSeries = await series.InsertAsync(connection, transaction, kept, cancellationToken);
        await QuarantineKeeper.InsertAsync(connection, transaction, request.Quarantine, cancellationToken);
        await LeaveOutAsync(connection, transaction, request, readings, taken, quarantined, cancellationToken);
        var tally = TallyOf(request, readings, taken, quarantined);
        await DeviceLedger.AddAsync(connection, transaction, tally, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        series.Know(unknownSeries, kept);
        return new Written(taken, [.. ids], tally.Counts());
    }

    private static DeviceLedger.Tally TallyOf(StoreReadings request, Reading[] readings, Reading[] taken, List<Reading> refused)
    {
        var tally = new DeviceLedger.Tally();
        foreach (var reading in taken)
            tally.Add(reading.Device.Id, stored: 1);
        foreach (var reading in refused)
            tally.Add(reading.Device.Id, stored: -1, quarantined: 1);
        foreach (var entry in request.Quarantine)
            tally.Add(entry.DeviceId, quarantined: 1);
        if (taken.Length == readings.Length)
            return tally;
        // What is not among those taken was a duplicate.
        foreach (var reading in readings)
            tally.Add(reading.Device.Id, duplicate: 1);
        foreach (var reading in taken)
            tally.Add(reading.Device.Id, duplicate: -1);
        return tally;
    }

    /// <summary>The readings without those whose ids are known; the others' ids are known from now on.</summary>
    private static async Task<Reading[]> TakeIdsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Reading[] readings, int? part, CancellationToken cancellationToken)
    {
        if (part is null)
            return readings;
        readings = await MessageIds.WithoutKnownAsync(connection, transaction, readings, cancellationToken);
        await MessageIds.InsertAsync(connection, transaction, part.Value, readings, cancellationToken);
        return readings;
    }

    private async Task SplitAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, StoreReadings request, ArraySegment<Reading> readings, List<long> ids, List<Reading> quarantined,
        CancellationToken cancellationToken)
    {
        if (readings.Count == 0)
            return;
        await transaction.SaveAsync("part", cancellationToken);
        try
        {
            ids.AddRange(await InsertReadingsAsync(connection, transaction, request, [.. readings], cancellationToken));
            await transaction.ReleaseAsync("part", cancellationToken);
        }
        catch (PostgresException exception) when (IsAboutTheData(exception))
        {
            await transaction.RollbackAsync("part", cancellationToken);
            await transaction.ReleaseAsync("part", cancellationToken);
            if (readings.Count > 1)
            {
                var half = readings.Count / 2;
                await SplitAsync(connection, transaction, request, readings[..half], ids, quarantined, cancellationToken);
                await SplitAsync(connection, transaction, request, readings[half..], ids, quarantined, cancellationToken);
                return;
            }
            var reading = readings[0];
            var entry = QuarantineEntry.Of(
                reading.Device.Id, topic: null, protocol: null, time.GetUtcNow().UtcDateTime, $"PostgreSQL refuses it: {exception.MessageText}", JsonOf(reading));
            await QuarantineKeeper.InsertAsync(connection, transaction, [entry], cancellationToken);
            quarantined.Add(reading);
            LogQuarantined(reading.Device.Id, exception.MessageText);
        }
    }

    private static async Task<bool> MoveAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, StoreReadings request, CancellationToken cancellationToken) =>
        await connection.ExecuteScalarAsync<int?>(new CommandDefinition(
            Move, new { request.To, request.From.LogId, request.From.Lane, request.From.Sequence }, transaction, cancellationToken: cancellationToken)) is not null;

    private static async Task InsertDevicesAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, DeviceEntry[] devices, CancellationToken cancellationToken)
    {
        if (devices.Length == 0)
            return;
        await connection.ExecuteAsync(new CommandDefinition(InsertDevices, new
        {
            Ids = new ArrayParameter<Guid>([.. devices.Select(d => d.Uuid)], NpgsqlDbType.Uuid),
            ExternalIds = new ArrayParameter<string>([.. devices.Select(d => d.Id)], NpgsqlDbType.Text),
            TokenHashes = new ArrayParameter<byte[]?>([.. devices.Select(d => d.TokenHash)], NpgsqlDbType.Bytea),
        }, transaction, cancellationToken: cancellationToken));
    }

    private static async Task<long[]> InsertTakenAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, StoreReadings request, Reading[] taken, CancellationToken cancellationToken)
    {
        if (taken.Length < ReadingCopy.WorthItFrom)
            return taken.Length == 0 ? [] : await InsertReadingsAsync(connection, transaction, request, taken, cancellationToken);
        var ids = (await connection.ExecuteScalarAsync<long[]>(new CommandDefinition(NextIds, new { Count = taken.Length }, transaction, cancellationToken: cancellationToken)))!;
        await ReadingCopy.WriteAsync(connection, ids, taken, cancellationToken);
        return ids;
    }

    /// <summary>Answers their ids, in order.</summary>
    private static async Task<long[]> InsertReadingsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, StoreReadings request, Reading[] readings, CancellationToken cancellationToken) =>
        [.. await connection.QueryAsync<long>(new CommandDefinition($"{InsertReadings} returning id", ParametersOf(request, readings), transaction, cancellationToken: cancellationToken))];

    private static object PlaceOf(StoreReadings request) => new { request.To, request.From.LogId, request.From.Lane, request.From.Sequence };

    private static object ParametersOf(StoreReadings request, Reading[] readings) => new
    {
        request.To,
        request.From.LogId,
        request.From.Lane,
        request.From.Sequence,
        DeviceIds = new ArrayParameter<Guid>(Array.ConvertAll(readings, r => r.Device.Uuid), NpgsqlDbType.Uuid),
        Timestamps = new ArrayParameter<long>(Array.ConvertAll(readings, r => PostgresTime.Of(r.Timestamp.Ticks)), NpgsqlDbType.TimestampTz),
        DataTypes = new ArrayParameter<string>(Array.ConvertAll(readings, r => r.DataType), NpgsqlDbType.Varchar),
        Payloads = new ArrayParameter<ReadOnlyMemory<byte>>(Array.ConvertAll(readings, r => r.Payload), NpgsqlDbType.Jsonb),
    };

    /// <summary>As its sender might have written it, but without its message id, which is taken: so it can be retried.</summary>
    internal static ReadOnlyMemory<byte> JsonOf(Reading reading)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("device_id", reading.Device.Id);
            writer.WriteString("timestamp", reading.Timestamp);
            writer.WriteString("data_type", reading.DataType);
            writer.WritePropertyName("payload");
            writer.WriteRawValue(reading.Payload.Span, skipInputValidation: true);
            writer.WriteEndObject();
        }
        return json.WrittenMemory;
    }

    private static DeviceEntry[] NewDevices(Reading[] readings) =>
        [.. readings.Select(r => r.Device).Where(d => !d.IsRegistered).Distinct()];

    /// <summary>With the position: which of the batch were not stored.</summary>
    private static async Task LeaveOutAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, StoreReadings request, Reading[] readings, Reading[] taken, List<Reading> refused, CancellationToken cancellationToken)
    {
        if (taken.Length == readings.Length && refused.Count == 0)
            return;
        // Both are in the order of the batch. Of two that are the same in everything it does not matter which.
        List<int> places = [];
        for (int place = 0, took = 0, refusedAt = 0; place < readings.Length; place++)
        {
            if (took == taken.Length || readings[place] != taken[took])
            {
                places.Add(place);
                continue;
            }
            took++;
            if (refusedAt == refused.Count || readings[place] != refused[refusedAt])
                continue;
            refusedAt++;
            places.Add(-1 - place);
        }
        await connection.ExecuteAsync(new CommandDefinition(
            "update ingest_checkpoint set left_out = @Places where log_id = @LogId and lane = @Lane",
            new { Places = new ArrayParameter<int>([.. places], NpgsqlDbType.Integer), request.From.LogId, request.From.Lane }, transaction, cancellationToken: cancellationToken));
    }

    /// <summary>A commit whose answer was lost has stored all of it already, but for these; anything else is not ours to mend.</summary>
    private static async Task<int[]> ReadLeftOutAsync(NpgsqlConnection connection, StoreReadings request, CancellationToken cancellationToken)
    {
        var (position, leftOut) = await connection.QuerySingleOrDefaultAsync<(long?, int[]?)>(new CommandDefinition(
            "select position, left_out from ingest_checkpoint where log_id = @LogId and lane = @Lane", new { request.From.LogId, request.From.Lane }, cancellationToken: cancellationToken));
        if (position != request.To)
            throw new InvalidOperationException(
                $"Lane {request.From.Lane} of ingest log {request.From.LogId} stands at {position?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "nothing"} in the database, not at {request.From.Sequence}: another host drains this log, or the database was restored from a backup while this host ran.");
        return leftOut ?? [];
    }

    /// <summary>They are stored, whatever becomes of the news: a fault there must not look like one of the write.</summary>
    private async Task PublishAsync(Reading[] stored, long[]? ids, CancellationToken cancellationToken)
    {
        if (ids is null)
            activity.Miss();
        try
        {
            await mediator.Publish(new ReadingsStored(stored) { Ids = ids }, cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            activity.Miss();
            LogNotFollowed(exception, stored.Length);
        }
    }

    /// <summary>Classes 22 (data exception), 23 (constraint) and 54 (a limit): the same data would be refused again.</summary>
    private static bool IsAboutTheData(PostgresException exception) =>
        exception.SqlState.Length == 5 && exception.SqlState[..2] is "22" or "23" or "54";

    [LoggerMessage(1141, LogLevel.Error, "{Count} readings are stored, but what follows from that failed; it is not tried again")]
    private partial void LogNotFollowed(Exception exception, int count);

    [LoggerMessage(1140, LogLevel.Error, "A reading of {DeviceId} was acknowledged and can't be stored; it is in the quarantine: {Reason}")]
    private partial void LogQuarantined(string deviceId, string reason);
}
