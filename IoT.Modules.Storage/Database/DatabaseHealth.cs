using Dapper;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Modules.Storage.Database;

/// <summary>Whether PostgreSQL answers; its version and where it is.</summary>
internal sealed class DatabaseHealth(PostgresPools database) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!database.IsReady)
            return Away("is not ready");
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(TimeSpan.FromSeconds(2));
            await using var connection = await database.Write.OpenConnectionAsync(timeout.Token);
            var version = await connection.ExecuteScalarAsync<string>(new CommandDefinition("show server_version", cancellationToken: timeout.Token));
            return HealthCheckResult.Healthy($"PostgreSQL {version} at {database.Endpoint}");
        }
        catch (Exception exception) when (exception is System.Data.Common.DbException or OperationCanceledException)
        {
            return Away("does not answer");
        }
    }

    private HealthCheckResult Away(string how) => AlarmHealth.Of(
        $"PostgreSQL at {database.Endpoint} {how}",
        [new Alarm("postgresql_away", AlarmLevel.Critical, "queries and changes are refused, and readings wait in the ingest log", "Start PostgreSQL, or look at ConnectionStrings__Postgres. It goes on by itself.")],
        isUseless: true);
}
