using System.Data;
using Dapper;
using IoT.Modules.Storage.Cache;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.Readings;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Summaries;

/// <summary>
/// Makes the summaries anew from the readings, a part of the devices of a partition at a time, while others come in. Each part is one
/// transaction that sees one moment: it folds what is pending at that moment, throws the part's rows away and puts in what the readings
/// of that moment make. What is added later is pending still. Before what retention has dropped, summaries stay as they are.
/// </summary>
internal sealed partial class SummaryRebuild(PostgresPools database, SummaryTables tables, ReadingCaches caches, TimeProvider time, ILogger<SummaryRebuild> logger)
{
    // So many readings in a part, about.
    private const int RowsInPart = 100_000;
    private const int MostParts = 256;

    // Series by series, by the index: a nested loop, because of the lateral offset.
    internal const string Readings =
        $"""
         select s.device_id, r.timestamp, s.data_type, r.payload::text, r.id
         from device_series s
         cross join lateral (select * from device_data r where {Series.OfS} and timestamp >= $3 and timestamp < $4 offset 0) r
         where s.device_id >= $1 and s.device_id <= $2 and s.newest_hour + interval '1 hour' > $3
         order by s.device_id
         """;

    private volatile bool _isAsked;
    private volatile bool _isRunning;
    private volatile bool _isNeeded;
    private volatile int _done;
    private volatile int _total;
    private volatile string? _trouble;

    public SummaryStatus Status(bool isOn) => new(
        _isAsked || _isRunning ? "rebuilding" : !isOn ? "off" : _isNeeded ? "incomplete" : "current", _done, _total, _trouble);

    /// <summary>False while it goes on or is about to.</summary>
    public bool TryAsk()
    {
        if (_isAsked || _isRunning)
            return false;
        (_done, _total, _isAsked) = (0, 0, true);
        return true;
    }

    /// <summary>At a start: whether readings are there that no summary has. While summaries are off, they will be.</summary>
    public async Task PrepareAsync(bool isOn, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        _isNeeded = await connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            "update summary_state set needs_rebuild = needs_rebuild or not @isOn returning needs_rebuild", new { isOn }, cancellationToken: cancellationToken));
        _isAsked |= _isNeeded && isOn;
    }

    public async Task RunIfAskedAsync(CancellationToken cancellationToken)
    {
        if (!_isAsked)
            return;
        _isRunning = true;
        try
        {
            await RunAsync(cancellationToken);
            _isAsked = false;
            _trouble = null;
        }
        catch (Exception exception)
        {
            _trouble = exception.Message; // Still asked for: the next turn begins again.
            throw;
        }
        finally
        {
            _isRunning = false;
        }
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        // Until it is through, a start that finds it so begins again.
        await connection.ExecuteAsync(new CommandDefinition("update summary_state set needs_rebuild = true", cancellationToken: cancellationToken));
        var parts = new List<(TimeRange Range, int Part, int Parts)>();
        foreach (var partition in await PartitionsAsync(connection, cancellationToken))
        {
            var count = (int)Math.Clamp(partition.Rows / RowsInPart, 1, MostParts);
            parts.AddRange(Enumerable.Range(0, count).Select(part => (partition.Range, part, count)));
        }
        (_done, _total) = (0, parts.Count);
        foreach (var (range, part, count) in parts)
        {
            // Whatever way they came.
            if (part == 0)
                await connection.ExecuteAsync(new CommandDefinition("select learn_device_series(@From, @To)", new { From = Typed(range.From), To = Typed(range.To) }, commandTimeout: 0, cancellationToken: cancellationToken));
            await RebuildAsync(connection, range, DeviceAt(part, count, isEnd: false), DeviceAt(part + 1, count, isEnd: true), cancellationToken);
            caches.Removed();
            _done++;
        }
        await connection.ExecuteAsync(new CommandDefinition("update summary_state set needs_rebuild = false", cancellationToken: cancellationToken));
        _isNeeded = false;
        LogRebuilt(parts.Count, time.GetElapsedTime(started));
    }

    private static async Task<IEnumerable<TimePartition>> PartitionsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var dropped = await connection.ExecuteScalarAsync<DateTime?>(new CommandDefinition(
            "select max(range_to) from storage_events where kind = 'dropped' and table_name = @Table", new { ReadingPartitions.Table }, cancellationToken: cancellationToken));
        return (await PartitionCatalog.ListAsync(connection, null, ReadingPartitions.Table, cancellationToken)).Where(p => !p.IsDetaching && !(p.RangeFrom < dropped));
    }

    private async Task RebuildAsync(NpgsqlConnection connection, TimeRange range, Guid first, Guid last, CancellationToken cancellationToken)
    {
        await tables.PrepareAsync(range, cancellationToken);
        // Before the transaction: its moment comes with its first statement, and must come after that of whoever was at it before.
        await connection.ExecuteAsync(new CommandDefinition("select pg_advisory_lock(@AdvisoryLock)", new { SummaryTables.AdvisoryLock }, cancellationToken: cancellationToken));
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
            while ((await SummaryFolder.FoldOnceAsync(connection, transaction, tables, SummaryFolder.MostStats, cancellationToken)).AreMore)
            {
            }
            foreach (var table in new[] { SummaryPartitions.FineTable, SummaryPartitions.HourTable })
            {
                await connection.ExecuteAsync(new CommandDefinition(
                    $"delete from {table} where device_id >= @first and device_id <= @last and bucket >= @From and bucket < @To",
                    new { first, last, From = Typed(range.From), To = Typed(range.To) }, transaction, commandTimeout: 0, cancellationToken: cancellationToken));
            }
            // Read over another connection that sees the same moment: this one writes meanwhile.
            var moment = await connection.ExecuteScalarAsync<string>(new CommandDefinition("select pg_export_snapshot()", transaction: transaction, cancellationToken: cancellationToken));
            await using var reading = await database.Write.OpenConnectionAsync(cancellationToken);
            await using var view = await reading.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
            await reading.ExecuteAsync(new CommandDefinition($"set transaction snapshot '{moment}'", transaction: view, cancellationToken: cancellationToken));
            await AddAsync(reading, view, connection, transaction, range, first, last, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        finally
        {
            await connection.ExecuteAsync("select pg_advisory_unlock(@AdvisoryLock)", new { SummaryTables.AdvisoryLock });
        }
    }

    private static TypedParameter<object> Typed(DateTime at) => new(at, NpgsqlDbType.TimestampTz);

    private async Task AddAsync(
        NpgsqlConnection reading, NpgsqlTransaction view, NpgsqlConnection connection, NpgsqlTransaction transaction,
        TimeRange range, Guid first, Guid last, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Readings, reading, view) { CommandTimeout = 0 };
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = first });
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = last });
        command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = range.From });
        command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = range.To });
        var stats = new ReadingStats();
        stats.Begin();
        var device = first;
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            var next = rows.GetGuid(0);
            // One device after the other: no more than its buckets are in memory.
            if (next != device)
                await FlushAsync();
            device = next;
            stats.Add(device, rows.GetDateTime(1), rows.GetString(2), rows.GetFieldValue<byte[]>(3), rows.GetInt64(4));
        }
        await FlushAsync();

        async Task FlushAsync()
        {
            if (stats.Table.Stats.Count == 0)
                return;
            await tables.PrepareAsync(stats.Table, cancellationToken);
            await tables.AddAsync(connection, transaction, stats.Table, cancellationToken);
            stats.Begin();
        }
    }

    /// <summary>The first id of a part of all there can be, or the last before it.</summary>
    private static Guid DeviceAt(int part, int parts, bool isEnd)
    {
        var bound = (UInt128.MaxValue / (UInt128)parts + (parts == 1 ? 0u : 1u)) * (UInt128)(isEnd && part == parts ? 0 : part);
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, isEnd ? part == parts ? UInt128.MaxValue : bound - 1 : bound);
        return new Guid(bytes, bigEndian: true);
    }

    [LoggerMessage(1171, LogLevel.Information, "The summaries are made anew from the readings, in {Parts} parts and {Time}")]
    private partial void LogRebuilt(int parts, TimeSpan time);
}
