using System.Runtime.CompilerServices;
using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;
using Npgsql;

namespace IoT.Modules.Storage.Readings;

/// <summary>For those who follow what is stored and were away: found by the index of ids, however much there is before them.</summary>
internal sealed class ArrivalHandlers(PostgresPools database) : IRequestHandler<ReadArrivals, IAsyncEnumerable<Arrival>>, IRequestHandler<GetLastArrival, long>
{
    public Task<IAsyncEnumerable<Arrival>> Handle(ReadArrivals request, CancellationToken cancellationToken) => Task.FromResult(ReadAsync(request.After, cancellationToken));

    public async Task<long> Handle(GetLastArrival request, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition("select case when is_called then last_value else 0 end from device_data_id_seq", cancellationToken: cancellationToken));
    }

    // Not from the replica, which may be behind; without a limit of time, since all of them may have come after.
    private async IAsyncEnumerable<Arrival> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand("select id, device_id, timestamp, convert_to(payload::text, 'UTF8') from device_data where id > $1", connection)
        {
            CommandTimeout = 0,
            Parameters = { new NpgsqlParameter<long> { TypedValue = after } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            yield return new Arrival(reader.GetInt64(0), reader.GetGuid(1), reader.GetDateTime(2), reader.GetFieldValue<byte[]>(3));
    }
}
