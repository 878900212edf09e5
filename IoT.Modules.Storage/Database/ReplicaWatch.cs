using System.Data.Common;
using System.Diagnostics.Metrics;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Queries;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace IoT.Modules.Storage.Database;

/// <summary>
/// Looks at the replica four times a second: how far it is behind, and whether queries may go there. One that is away, or further behind than
/// <c>Storage__ReplicaMaxLagMs</c>, would break what is promised of a query, and gets none until it has caught up.
/// </summary>
internal sealed partial class ReplicaWatch : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(2);

    private readonly PostgresPools _database;
    private readonly StorageOptions _options;
    private readonly StorageReadiness _readiness;
    private readonly TimeProvider _time;
    private readonly ILogger<ReplicaWatch> _logger;
    private volatile Look _last = new("not looked at yet", null, IsStandby: true);
    private DateTime? _behindSince;

    public ReplicaWatch(PostgresPools database, StorageOptions options, StorageReadiness readiness, IMeterFactory meters, TimeProvider time, ILogger<ReplicaWatch> logger)
    {
        (_database, _options, _readiness, _time, _logger) = (database, options, readiness, time, logger);
        var meter = meters.Create(QueryLog.MeterName);
        meter.CreateObservableGauge<double>("iot.replica.lag", () => Measured(_last.Lag?.TotalSeconds), "s", "How far the replica is behind the primary; nothing while it does not answer");
        meter.CreateObservableGauge<double>("iot.replica.in_use", () => Measured(_database.Replica is null ? null : _database.IsReplicaInUse ? 1 : 0), null, "1 while queries go to the replica, 0 while they go to the primary");
    }

    /// <param name="Trouble">Null: it answers.</param>
    /// <param name="IsStandby">False: of the hosts that are named only the primary answers.</param>
    private sealed record Look(string? Trouble, TimeSpan? Lag, bool IsStandby);

    private sealed record Written(string Position, DateTime At);

    private sealed record Replayed(bool IsStandby, bool HasAll, DateTime? At);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(Health());

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _readiness.Ready.WaitAsync(stoppingToken);
        if (_database.Replica is null)
            return;
        using var timer = new PeriodicTimer(Period, _time);
        do
        {
            var look = await LookAsync(_database.Replica, stoppingToken);
            // Back at half of it, so that it isn't to and fro.
            var limit = _database.IsReplicaInUse ? _options.ReplicaMaxLagMs : _options.ReplicaMaxLagMs / 2;
            var isGood = look.Trouble is null && look.Lag <= TimeSpan.FromMilliseconds(limit);
            if (isGood != _database.IsReplicaInUse)
                LogTurned(isGood ? "go to the replica" : "go to the primary", look.Trouble ?? FormattableString.Invariant($"it is {look.Lag!.Value.TotalSeconds:0.000} s behind"));
            _last = look;
            _database.IsReplicaInUse = isGood;
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task<Look> LookAsync(NpgsqlDataSource replica, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestLook);
        try
        {
            // First where the primary is: what the replica has replayed by then may be compared with that.
            Written? written = null;
            try
            {
                await using var primary = await _database.Write.OpenConnectionAsync(limit.Token);
                written = await primary.QuerySingleAsync<Written>(new CommandDefinition("select pg_current_wal_flush_lsn()::text as position, clock_timestamp() as at", cancellationToken: limit.Token));
            }
            catch (DbException)
            {
                // With the primary away nothing comes that it could be behind of: the replica goes on answering.
            }
            await using var connection = await replica.OpenConnectionAsync(limit.Token);
            var row = await connection.QuerySingleAsync<Replayed>(new CommandDefinition(
                """
                select pg_is_in_recovery() as isstandby,
                       not pg_is_in_recovery() or @position::pg_lsn is null or pg_last_wal_replay_lsn() >= @position::pg_lsn as hasall,
                       pg_last_xact_replay_timestamp() as at
                """, new { position = written?.Position }, cancellationToken: limit.Token));
            if (row.HasAll)
            {
                _behindSince = null;
                return new Look(null, TimeSpan.Zero, row.IsStandby);
            }
            // The last transaction that it has may be old because there was none since: it is behind from when it was first seen to be.
            _behindSince ??= written!.At;
            var upTo = row.At > _behindSince ? row.At.Value : _behindSince.Value;
            return new Look(null, written!.At > upTo ? written.At - upTo : TimeSpan.Zero, row.IsStandby);
        }
        catch (Exception exception) when (exception is DbException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new Look(exception is DbException ? exception.Message : "it does not answer", null, IsStandby: true);
        }
    }

    private HealthCheckResult Health()
    {
        if (_database.Replica is null)
            return HealthCheckResult.Healthy("none is configured");
        var look = _last;
        if (!_readiness.Ready.IsCompleted)
            return HealthCheckResult.Healthy("waits for PostgreSQL");
        if (look.Trouble is { } trouble)
            return Degraded("is away", $"queries go to the primary: {trouble}", "replica_away", "Start it, or look at ConnectionStrings__PostgresReplica.");
        var lag = FormattableString.Invariant($"is {look.Lag!.Value.TotalSeconds:0.000} s behind");
        if (!look.IsStandby)
            return HealthCheckResult.Healthy("of its hosts the primary answers");
        return _database.IsReplicaInUse
            ? HealthCheckResult.Healthy(lag)
            : Degraded(lag, "queries go to the primary until it has caught up", "replica_lags", "Look what holds its replay up: a long query there, its disk, the network. Storage__ReplicaMaxLagMs says how far behind it may be.");

        static HealthCheckResult Degraded(string state, string what, string alarm, string remedy) =>
            AlarmHealth.Of(state, [new Alarm(alarm, AlarmLevel.Warning, what, remedy)]);
    }

    private static IEnumerable<Measurement<double>> Measured(double? value) => value is { } known ? [new Measurement<double>(known)] : [];

    [LoggerMessage(1185, LogLevel.Information, "Queries {Where}: {Why}")]
    private partial void LogTurned(string where, string why);
}
