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
