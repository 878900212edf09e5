using System.Diagnostics;
using IoT.Benchmarks.Load;
using IoT.Modules.Storage.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Benchmarks.Ingest;

/// <summary>What stands in PostgreSQL, and what COPY needs to put the same there.</summary>
internal sealed class ReadingsTable(string connectionString) : IAsyncDisposable
{
    private const int CopyConnections = 2;
    private const int Variants = 400;

    private readonly NpgsqlDataSource _database = NpgsqlDataSource.Create(connectionString);

    /// <summary>Forgets the connections there are: the server has been stopped.</summary>
    public void Disconnect() => _database.Clear();

    /// <summary>Empties the table, so that each case begins with the same indexes, and brings what is dirty to disk.</summary>
    public async Task ClearAsync(CancellationToken cancellationToken)
    {
        await ExecuteAsync("truncate device_data", cancellationToken);
        await ExecuteAsync("checkpoint", cancellationToken);
    }

    /// <summary>How many ids have been given out: exact for what is committed once it no longer moves, and cheap to ask.</summary>
    public Task<long> LastIdAsync(CancellationToken cancellationToken) => ScalarAsync("select case when is_called then last_value else 0 end from device_data_id_seq", cancellationToken);

    public Task<long> CountAsync(CancellationToken cancellationToken) => ScalarAsync("select count(*) from device_data", cancellationToken);

    /// <summary>Waits until the cleared table holds so many rows; answers when it did, as <see cref="Stopwatch"/> counts.</summary>
    public async Task<long> WaitForRowsAsync(long idBefore, long rows, TimeSpan limit, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await LastIdAsync(cancellationToken) >= idBefore + rows)
            {
                // A snapshot from now on: had it been too early, the count would be short.
                var seen = Stopwatch.GetTimestamp();
                var count = await CountAsync(cancellationToken);
                if (count == rows)
                    return seen;
                if (count > rows)
                    throw new InvalidOperationException($"{count} rows are stored of {rows} acknowledged readings.");
            }
            if (Stopwatch.GetElapsedTime(started) > limit)
                throw new TimeoutException($"{await CountAsync(cancellationToken)} rows are stored of {rows} acknowledged readings after {limit.TotalSeconds} s.");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, cancellationToken);
        }
    }

    /// <summary>
    /// The reference: binary COPY of the same rows over two connections into a fresh table with the same columns, defaults, partitioning
    /// and index. Answers rows a second.
    /// </summary>
    public async Task<double> CopyAsync(int rows, int devices, CancellationToken cancellationToken)
    {
        await ExecuteAsync(
            """
            drop table if exists bench_copy;
            create table bench_copy (like device_data including all) partition by range (timestamp);
            create table bench_copy_rows partition of bench_copy for values from (minvalue) to (maxvalue);
            """,
            cancellationToken);
        await ExecuteAsync("checkpoint", cancellationToken);
        // Encoded beforehand, like the load's packets.
        var uuids = Enumerable.Range(0, devices).Select(device => DeviceUuid.Of(Samples.DeviceId(device))).ToArray();
        var payloads = Enumerable.Range(0, Variants).Select(variant => Samples.Payload(variant % devices, variant)).ToArray();
        var origin = TimeProvider.System.GetUtcNow().UtcDateTime;
        var connections = new List<NpgsqlConnection>();
        try
        {
            for (var i = 0; i < CopyConnections; i++)
                connections.Add(await _database.OpenConnectionAsync(cancellationToken));
            var started = Stopwatch.GetTimestamp();
            await Task.WhenAll(connections.Select((connection, part) => Task.Run(() => CopyPartAsync(connection, part, rows, origin, uuids, payloads, cancellationToken), cancellationToken)));
            return rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
        finally
        {
            foreach (var connection in connections)
                await connection.DisposeAsync();
            await ExecuteAsync("drop table if exists bench_copy", CancellationToken.None);
        }
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private static async Task CopyPartAsync(
        NpgsqlConnection connection, int part, int rows, DateTime origin, Guid[] devices, byte[][] payloads, CancellationToken cancellationToken)
    {
        await using var copy = await connection.BeginBinaryImportAsync("copy bench_copy (device_id, timestamp, data_type, payload) from stdin (format binary)", cancellationToken);
        for (var row = part; row < rows; row += CopyConnections)
        {
            await copy.StartRowAsync(cancellationToken);
            await copy.WriteAsync(devices[row % devices.Length], NpgsqlDbType.Uuid, cancellationToken);
            await copy.WriteAsync(origin.AddTicks(row * TimeSpan.TicksPerMicrosecond), NpgsqlDbType.TimestampTz, cancellationToken);
            await copy.WriteAsync(Samples.DataType, NpgsqlDbType.Varchar, cancellationToken);
            await copy.WriteAsync(payloads[row % payloads.Length], NpgsqlDbType.Jsonb, cancellationToken);
        }
        await copy.CompleteAsync(cancellationToken);
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task<long> ScalarAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
