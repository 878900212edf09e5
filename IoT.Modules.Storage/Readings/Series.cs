namespace IoT.Modules.Storage.Readings;

/// <summary>
/// SQL shared by the queries over <c>device_data_by_series</c>. Its key is eight bytes for a series and the timestamp, so readings of the
/// same timestamp are not in order there, and two series may have one key.
/// </summary>
internal static class Series
{
    /// <summary>As the index has it.</summary>
    public const string SameKey =
        "hashtextextended(r.data_type::text, uuid_hash_extended(r.device_id, 0)) = hashtextextended(s.data_type::text, uuid_hash_extended(s.device_id, 0))";

    /// <summary>The readings r of a row s (device_id, data_type): found by the key, and nobody else's.</summary>
    public const string OfS = $"{SameKey} and r.device_id = s.device_id and r.data_type = s.data_type";

    /// <summary>
    /// The next @Count readings of a row s (device_id, data_type, after_timestamp, after_id) within @From and @To, newest first. Beside
    /// them, those of the last one's timestamp are read. PostgreSQL isn't told how many will be wanted (<c>select</c>): it takes them in
    /// the order of the index then, whatever it expects to find; else it reads and sorts the whole series where it expects little.
    /// </summary>
    public const string Page =
        $"""
         select {ReadingColumns} from (
             select * from device_data r
             where {OfS}
                 and timestamp >= @From and timestamp < @To and timestamp <= s.after_timestamp and (timestamp, id) < (s.after_timestamp, s.after_id)
             order by timestamp desc fetch first ((select @Count)) rows with ties
         ) next
         order by timestamp desc, id desc limit @Count
         """;

    public const string ReadingColumns = "id, timestamp, data_type, payload::text as payload, status";

    /// <summary>A row as selected by <see cref="ReadingColumns"/>.</summary>
    internal sealed record Row(long Id, DateTime Timestamp, string DataType, string Payload, string Status)
    {
        public Contracts.StoredReading ToReading(string deviceId) => new(Id, deviceId, Timestamp, DataType, Payload, Status);
    }
}
