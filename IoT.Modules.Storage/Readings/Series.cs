namespace IoT.Modules.Storage.Readings;

/// <summary>SQL shared by the queries over <c>device_data_series</c>.</summary>
internal static class Series
{
    /// <summary>
    /// The data_types of device @Uuid, found by skipping from one to the next in the index: a few descents instead of a scan of
    /// its history. Column <c>data_type</c>; its last row is null.
    /// </summary>
    public const string DataTypes =
        """
        with recursive types as (
            (select data_type from device_data where device_id = @Uuid order by data_type limit 1)
            union all
            select (select d.data_type from device_data d where d.device_id = @Uuid and d.data_type > types.data_type order by d.data_type limit 1)
            from types where types.data_type is not null
        )
        """;

    public const string ReadingColumns = "id, timestamp, data_type, payload::text as payload, status";

    /// <summary>A row as selected by <see cref="ReadingColumns"/>.</summary>
    internal sealed record Row(long Id, DateTime Timestamp, string DataType, string Payload, string Status)
    {
        public Contracts.StoredReading ToReading(string deviceId) => new(Id, deviceId, Timestamp, DataType, Payload, Status);
    }
}
