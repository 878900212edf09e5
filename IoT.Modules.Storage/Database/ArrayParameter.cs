using System.Data;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Database;

/// <summary>One column of a batch as a typed PostgreSQL array, for statements over <c>unnest</c>.</summary>
internal sealed class ArrayParameter<T>(T[] values, NpgsqlDbType elementType) : SqlMapper.ICustomQueryParameter
{
    public void AddParameter(IDbCommand command, string name) =>
        command.Parameters.Add(new NpgsqlParameter<T[]>(name, NpgsqlDbType.Array | elementType) { TypedValue = values });
}

/// <summary>A value with its PostgreSQL type, where Dapper's guess would be another (jsonb, timestamptz).</summary>
internal sealed class TypedParameter<T>(T? value, NpgsqlDbType type) : SqlMapper.ICustomQueryParameter
{
    public void AddParameter(IDbCommand command, string name) =>
        command.Parameters.Add(new NpgsqlParameter(name, type) { Value = value is null ? DBNull.Value : value });
}

/// <summary>Times as PostgreSQL has them: as a <see cref="DateTime"/>, each of an array is asked anew what it is.</summary>
internal static class PostgresTime
{
    private static readonly long Epoch = new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).Ticks;

    /// <summary>A <c>timestamptz</c> of UTC ticks.</summary>
    public static long Of(long ticks) => (ticks - Epoch) / TimeSpan.TicksPerMicrosecond;
}
