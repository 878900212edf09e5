using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using NpgsqlTypes;

namespace IoT.Modules.Storage.Queries;

/// <summary>The series (device and data_type) that a question is about.</summary>
internal sealed class SeriesOf(QueryLog queries, DeviceDirectory directory)
{
    public static readonly DateTime Beginning = DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc);
    public static readonly DateTime End = new(9999, 12, 31, 23, 59, 59, DateTimeKind.Utc);

    /// <summary>As a condition on <c>devices d</c>.</summary>
    public const string DeviceCondition = "(@Ids::text[] is null or d.external_id = any(@Ids)) and (@Location::text is null or d.location = @Location) and (@Type::text is null or d.type = @Type)";

    private const string Sql =
        $"""
         select d.external_id as device_id, d.id as uuid, s.data_type
         from devices d join device_series s on s.device_id = d.id
         where {DeviceCondition} and (@DataType::text is null or s.data_type = @DataType) and s.newest_hour > @From - interval '1 hour'
           and (@AfterDevice::text is null or (d.external_id, s.data_type collate "C") >= (@AfterDevice, @AfterType))
         order by d.external_id, s.data_type collate "C" limit @Count
         """;

    internal sealed record Row(string DeviceId, Guid Uuid, string DataType);

    /// <summary>The first device that was asked for and isn't there; null when all are.</summary>
    public Failure? Missing(DeviceFilter devices) =>
        devices.Ids?.FirstOrDefault(id => directory.Find(id) is not { IsRegistered: true }) is { } missing ? Failure.NotFound($"Device {missing}") : null;

    public static DynamicParameters ParametersOf(DeviceFilter devices, DateTime? from = null, DateTime? to = null, string? dataType = null)
    {
        var parameters = new DynamicParameters();
        parameters.Add("Ids", new TypedParameter<string[]>(devices.Ids is null ? null : [.. devices.Ids], NpgsqlDbType.Array | NpgsqlDbType.Text));
        parameters.Add("Location", devices.Location);
        parameters.Add("Type", devices.Type);
        parameters.Add("DataType", dataType);
        parameters.Add("From", new TypedParameter<object>(from ?? Beginning, NpgsqlDbType.TimestampTz));
        parameters.Add("To", new TypedParameter<object>(to ?? End, NpgsqlDbType.TimestampTz));
        return parameters;
    }

    /// <summary>By device id and data_type, from that place on (included).</summary>
    public Task<List<Row>> FindAsync(DeviceFilter devices, DateTime? from, string? dataType, SeriesCursor? place, int most, CancellationToken cancellationToken)
    {
        // A timestamp at the very beginning has no hour before it.
        var parameters = ParametersOf(devices, from is { } start && start > Beginning.AddDays(1) ? start : Beginning.AddDays(1), null, dataType);
        parameters.Add("AfterDevice", place?.DeviceId);
        parameters.Add("AfterType", place?.DataType);
        parameters.Add("Count", most);
        return queries.QueryAsync<Row>("series", Sql, parameters, cancellationToken);
    }
}
