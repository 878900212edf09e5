using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Dapper;
using IoT.Modules.Storage.Database;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Queries;

/// <summary>How long a kind of query may take.</summary>
internal enum QueryKind
{
    /// <summary>A page or a look-up: <c>Storage__QueryTimeoutSeconds</c>.</summary>
    Page,

    /// <summary>Sums over much: charts and summaries, <c>Storage__ReportTimeoutSeconds</c>.</summary>
    Report,

    /// <summary>A chunk of a stream or an export: <c>Storage__StreamTimeoutSeconds</c>.</summary>
    Stream,
}

/// <summary>
/// Every query of the read pool goes through here, under a name: a histogram of durations, rows, and of the slowest call since the start
/// what it takes to run it again for its plan. The names are a closed set in the code.
/// </summary>
internal sealed partial class QueryLog
{
    public const string MeterName = "IoT.Storage";

    private readonly PostgresPools _database;
    private readonly StorageOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<QueryLog> _logger;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _rows;
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    public QueryLog(PostgresPools database, StorageOptions options, IMeterFactory meters, TimeProvider time, ILogger<QueryLog> logger)
    {
        (_database, _options, _time, _logger) = (database, options, time, logger);
        var meter = meters.Create(MeterName);
        _duration = meter.CreateHistogram<double>("iot.query.duration", "s", "Duration of a query in the database, by name and outcome");
        _rows = meter.CreateCounter<long>("iot.query.rows", "{row}", "Rows that queries have read, by name");
    }

    /// <summary>The slowest call of a query.</summary>
    internal sealed record Call(string Sql, object Parameters, DateTimeOffset At, TimeSpan Duration, long Rows);

    /// <summary>What is known of a query by name.</summary>
    internal sealed record Numbers(string Name, long Count, long Failed, long Rows, TimeSpan Total, Call? Slowest);

    public IEnumerable<Numbers> All => _entries.Values.Select(entry => entry.Numbers).OrderBy(n => n.Name, StringComparer.Ordinal);

    public Numbers? Find(string name) => _entries.GetValueOrDefault(name)?.Numbers;

    public async Task<List<T>> QueryAsync<T>(string name, string sql, object parameters, CancellationToken cancellationToken, QueryKind kind = QueryKind.Page, bool toKeep = false)
    {
        var started = Stopwatch.GetTimestamp();
        var rows = -1L;
        try
        {
            var list = toKeep ? null : await TryReplicaAsync<T>(sql, parameters, kind, cancellationToken);
            if (list is null)
            {
                await using var connection = await _database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
                list = await ReadAsync<T>(connection, sql, parameters, kind, cancellationToken);
            }
            rows = list.Count;
            return list;
        }
        finally
        {
            Record(name, sql, parameters, Stopwatch.GetElapsedTime(started), rows);
        }
    }

    /// <summary>Null: there is none, or it has failed in a way that the primary may not.</summary>
    private async Task<List<T>?> TryReplicaAsync<T>(string sql, object parameters, QueryKind kind, CancellationToken cancellationToken)
    {
        if (!_database.IsReplicaInUse)
            return null;
        // Falls back to the primary by itself when none can be opened.
        await using var connection = await _database.OpenReadAsync(toKeep: false, cancellationToken);
        try
        {
            return await ReadAsync<T>(connection, sql, parameters, kind, cancellationToken);
        }
        catch (DbException exception) when (PostgresPools.IsReplicasFault(exception))
        {
            _database.IsReplicaInUse = false;
            return null;
        }
    }

    private async Task<List<T>> ReadAsync<T>(NpgsqlConnection connection, string sql, object parameters, QueryKind kind, CancellationToken cancellationToken) =>
        (await connection.QueryAsync<T>(new CommandDefinition(sql, parameters, commandTimeout: SecondsOf(kind), cancellationToken: cancellationToken))).AsList();

    /// <summary>Row by row; the connection is held until the last one is read. What the caller does between rows counts.</summary>
    public async IAsyncEnumerable<T> StreamAsync<T>(
        string name, string sql, object parameters, QueryKind kind, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken, bool toKeep = false)
    {
        var started = Stopwatch.GetTimestamp();
        var (rows, isOver) = (0L, false);
        try
        {
            for (var mayFallBack = !toKeep && _database.IsReplicaInUse; !isOver; mayFallBack = false)
            {
                await using var connection = mayFallBack ? await _database.OpenReadAsync(toKeep: false, cancellationToken) : await _database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
                await using var row = connection.QueryUnbufferedAsync<T>(sql, parameters, commandTimeout: SecondsOf(kind)).GetAsyncEnumerator(cancellationToken);
                bool hasRow;
                try
                {
                    hasRow = await row.MoveNextAsync();
                }
                catch (DbException exception) when (mayFallBack && PostgresPools.IsReplicasFault(exception))
                {
                    _database.IsReplicaInUse = false;
                    continue;
                }
                for (; hasRow; hasRow = await row.MoveNextAsync())
                {
                    rows++;
                    isOver = true; // Whoever has enough stops reading.
                    yield return row.Current;
                    isOver = false;
                }
                isOver = true;
            }
        }
        finally
        {
            Record(name, sql, parameters, Stopwatch.GetElapsedTime(started), isOver ? rows : -1);
        }
    }

    /// <summary>The plan of the slowest call, run once more in a transaction that changes nothing; null when there was none.</summary>
    public async Task<(Call Slowest, string Plan)?> ExplainAsync(string name, CancellationToken cancellationToken)
    {
        if (Find(name)?.Slowest is not { } slowest)
            return null;
        await using var connection = await _database.OpenReadAsync(toKeep: false, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition("set transaction read only", transaction: transaction, cancellationToken: cancellationToken));
        var lines = await connection.QueryAsync<string>(new CommandDefinition(
            $"explain (analyze, buffers) {slowest.Sql}", slowest.Parameters, transaction, SecondsOf(QueryKind.Report), cancellationToken: cancellationToken));
        await transaction.RollbackAsync(cancellationToken);
        return (slowest, string.Join('\n', lines));
    }

    private int SecondsOf(QueryKind kind) => kind switch
    {
        QueryKind.Page => _options.QueryTimeoutSeconds,
        QueryKind.Report => _options.ReportTimeoutSeconds,
        QueryKind.Stream => _options.StreamTimeoutSeconds,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    private void Record(string name, string sql, object parameters, TimeSpan duration, long rows)
    {
        var entry = _entries.GetOrAdd(name, static n => new Entry(n));
        entry.Add(new Call(sql, parameters, _time.GetUtcNow(), duration, rows));
        _duration.Record(duration.TotalSeconds, new("query", name), new("outcome", rows < 0 ? "failed" : "ok"));
        if (rows > 0)
            _rows.Add(rows, new KeyValuePair<string, object?>("query", name));
        if (_options.SlowQueryMs > 0 && duration.TotalMilliseconds >= _options.SlowQueryMs)
            LogSlow(name, (long)duration.TotalMilliseconds, rows, _options.SlowQueryMs);
    }

    [LoggerMessage(1186, LogLevel.Warning, "Query {Name} took {Milliseconds} ms, over the {Limit} of Storage__SlowQueryMs, and answered {Rows} rows (-1: it failed); POST /api/v1/queries/{Name}:explain shows the plan of the slowest")]
    private partial void LogSlow(string name, long milliseconds, long rows, int limit);

    private sealed class Entry(string name)
    {
        private readonly Lock _lock = new();
        private Numbers _numbers = new(name, 0, 0, 0, TimeSpan.Zero, null);

        public Numbers Numbers
        {
            get
            {
                lock (_lock)
                    return _numbers;
            }
        }

        public void Add(Call call)
        {
            lock (_lock)
            {
                var n = _numbers;
                _numbers = new Numbers(
                    n.Name, n.Count + 1, n.Failed + (call.Rows < 0 ? 1 : 0), n.Rows + Math.Max(0, call.Rows), n.Total + call.Duration,
                    n.Slowest is null || call.Duration > n.Slowest.Duration ? call : n.Slowest);
            }
        }
    }
}
