using System.Diagnostics;
using IoT.Benchmarks.Load;
using IoT.Modules.Storage.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Benchmarks.Storage;

/// <summary>Tables of readings beside one another: what a row takes on disk, and what putting it in costs.</summary>
internal sealed class Layouts(NpgsqlDataSource database)
{
    private const int BatchSize = 5_000;

    /// <summary>The seed document's table and indexes as written.</summary>
    public const string Seed =
        """
        create table bench_layout (
            id bigserial, device_id uuid not null, timestamp timestamptz not null, data_type varchar(50) not null, payload jsonb not null, status varchar(20) default 'active'
        ) partition by range (timestamp);
        create index on bench_layout (timestamp desc, device_id);
        create index on bench_layout (data_type, status) where status = 'active';
        """;

    /// <summary>Ours without its index.</summary>
    public const string Bare = "create table bench_layout (like device_data including defaults) partition by range (timestamp);";

    public const string Series =
        "create index on bench_layout ((hashtextextended(data_type::text, uuid_hash_extended(device_id, 0))), timestamp) with (fillfactor = 100, deduplicate_items = off);";

    public const string Time = "create index on bench_layout using brin (timestamp) with (pages_per_range = 32, autosummarize = on);";

    public const string Arrival = "create index on bench_layout using brin (id) with (pages_per_range = 32, autosummarize = on);";

    /// <summary>Bytes and microseconds a row, in batches as the drain writes them: 1,000 devices in turns.</summary>
    public async Task<(double Bytes, double Microseconds)> MeasureAsync(string layout, int rows, CancellationToken cancellationToken)
    {
        await ExecuteAsync($"drop table if exists bench_layout cascade; {layout}; create table bench_layout_rows partition of bench_layout for values from ('2000-01-01') to ('2100-01-01');", cancellationToken);
        await ExecuteAsync("checkpoint", cancellationToken);
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand("insert into bench_layout (device_id, timestamp, data_type, payload) select * from unnest($1, $2, $3, $4)", connection);
        var devices = Enumerable.Range(0, 1_000).Select(i => DeviceUuid.Of(Samples.DeviceId(i))).ToArray();
        var payloads = Enumerable.Range(0, 1_000).Select(i => System.Text.Encoding.UTF8.GetString(Samples.Payload(i, i))).ToArray();
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
        command.Parameters.Add(new NpgsqlParameter<DateTime[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz });
        command.Parameters.Add(new NpgsqlParameter<string[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Varchar });
        command.Parameters.Add(new NpgsqlParameter<string[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb });
        await command.PrepareAsync(cancellationToken);
        var start = new DateTime(2026, 11, 1, 0, 0, 0, DateTimeKind.Utc);
        var started = Stopwatch.GetTimestamp();
        for (var row = 0; row < rows; row += BatchSize)
        {
            var numbers = Enumerable.Range(row, Math.Min(BatchSize, rows - row)).ToArray();
            command.Parameters[0].Value = Array.ConvertAll(numbers, n => devices[n % devices.Length]);
            command.Parameters[1].Value = Array.ConvertAll(numbers, n => start.AddMilliseconds(n));
            command.Parameters[2].Value = Array.ConvertAll(numbers, _ => Samples.DataType);
            command.Parameters[3].Value = Array.ConvertAll(numbers, n => payloads[n % payloads.Length]);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        var microseconds = Stopwatch.GetElapsedTime(started).TotalMicroseconds / rows;
        await using var size = database.CreateCommand("select pg_total_relation_size('bench_layout_rows')");
        var bytes = (long)(await size.ExecuteScalarAsync(cancellationToken))! / (double)rows;
        await ExecuteAsync("drop table bench_layout cascade", cancellationToken);
        return (bytes, microseconds);
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
