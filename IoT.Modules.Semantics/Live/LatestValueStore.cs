using Dapper;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Semantics.Live;

/// <summary>
/// Latest values in PostgreSQL, written behind the readings: what came with an id beyond the one in <c>latest_value_state</c> is read from
/// the readings themselves when the host starts. That id is only moved on once every write that may have drawn a smaller one has been
/// followed here, so that the two together are exact whenever the host is killed.
/// </summary>
internal sealed partial class LatestValueStore(
    DatabaseAccess database, LatestValues latest, Metrics metrics, StoreActivity activity, IMediator mediator, TimeProvider time, ILogger<LatestValueStore> logger)
{
    private const int RowsPerStatement = 5_000;

    private const string Write =
        """
        insert into latest_values as l (device_id, metric, timestamp, reading_id, kind, value)
        select * from unnest(@Devices, @Metrics, @Timestamps, @Ids, @Kinds, @Values)
        on conflict (device_id, metric) do update set timestamp = excluded.timestamp, reading_id = excluded.reading_id, kind = excluded.kind, value = excluded.value
        where (excluded.timestamp, excluded.reading_id) > (l.timestamp, l.reading_id)
        """;

    private readonly PayloadMembers _payloads = new(metrics);
    private readonly List<(Metric Metric, LiveValue Value)> _members = [];
    private (long Mark, long ReadingId)? _candidate;
    private long _missed;

    private long Missed => activity.Missed + latest.Lost;

    /// <summary>All of them, up to what is committed now.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using (var command = new NpgsqlCommand("select device_id, metric, timestamp, reading_id, kind, value from latest_values", connection) { CommandTimeout = 0 })
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                latest.Load(
                    reader.GetGuid(0), reader.GetString(1), metrics, reader.GetDateTime(2).Ticks, reader.GetInt64(3),
                    LiveValue.Stored((LiveKind)reader.GetInt16(4), reader.GetString(5)), time.GetTimestamp());
            }
        }
        var readings = await CatchUpAsync(connection, cancellationToken);
        LogLoaded(latest.Count, readings, (long)time.GetElapsedTime(started).TotalMilliseconds);
    }

    /// <summary>Writes what has changed. What could not be written is kept for the next time.</summary>
    public async Task SaveAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        if (Missed != _missed)
            LogCaughtUp(await CatchUpAsync(connection, cancellationToken));

        // What was drawn by then is followed by now, so that what is taken after this has it.
        var isSettled = _candidate is { } candidate && activity.IsPast(candidate.Mark) && latest.LeftOut == 0;
        var values = latest.TakeUnsaved();
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            foreach (var chunk in values.Chunk(RowsPerStatement))
            {
                await connection.ExecuteAsync(new CommandDefinition(Write, new
                {
                    Devices = Array.ConvertAll(chunk, v => v.Entry.Device.Uuid),
                    Metrics = Array.ConvertAll(chunk, v => v.Entry.Metric.Path),
                    Timestamps = Array.ConvertAll(chunk, v => new DateTime(v.Ticks, DateTimeKind.Utc)),
                    Ids = Array.ConvertAll(chunk, v => v.ReadingId),
                    Kinds = Array.ConvertAll(chunk, v => (short)v.Value.Kind),
                    Values = Array.ConvertAll(chunk, v => v.Value.Text),
                }, transaction, cancellationToken: cancellationToken));
            }
            if (isSettled)
            {
                await connection.ExecuteAsync(new CommandDefinition(
                    "update latest_value_state set reading_id = @ReadingId where reading_id < @ReadingId", new { _candidate!.Value.ReadingId }, transaction, cancellationToken: cancellationToken));
            }
            await transaction.CommitAsync(cancellationToken);
        }
        catch
        {
            latest.PutBack(values);
            throw;
        }
        if (isSettled || _candidate is null)
        {
            var lastDrawn = await mediator.Send(new GetLastArrival(), cancellationToken);
            _candidate = (activity.Mark(), lastDrawn);
        }
    }

    /// <summary>Takes in all readings that came after what is written, again perhaps: the later one holds anyway.</summary>
    private async Task<long> CatchUpAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var missed = Missed;
        var from = await connection.ExecuteScalarAsync<long>(new CommandDefinition("select reading_id from latest_value_state", cancellationToken: cancellationToken));
        var readings = 0L;
        await foreach (var arrival in await mediator.Send(new ReadArrivals(from), cancellationToken))
        {
            _payloads.Read(arrival.Payload.Span, _members);
            latest.Add(arrival.Device, null, arrival.Timestamp.Ticks, arrival.Id, _members, time.GetTimestamp(), isNews: false);
            readings++;
        }
        _missed = missed;
        return readings;
    }

    [LoggerMessage(4000, LogLevel.Information, "{Values} latest values, out of the table and {Readings} readings after it, in {Milliseconds} ms")]
    private partial void LogLoaded(int values, long readings, long milliseconds);

    [LoggerMessage(4001, LogLevel.Warning, "Readings were stored without their ids being known; latest values looked at {Readings} readings again")]
    private partial void LogCaughtUp(long readings);
}
