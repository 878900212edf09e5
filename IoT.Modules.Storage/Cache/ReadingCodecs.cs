using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Cache;

/// <summary>A page of history. Another form needs another version of its kind.</summary>
internal sealed class HistoryCodec : ICacheCodec<Outcome<HistoryPage>>
{
    public void Write(BinaryWriter writer, Outcome<HistoryPage> value)
    {
        var (items, next) = value.Value;
        writer.Write7BitEncodedInt(items.Count);
        writer.Write(items.Count == 0 ? "" : items[0].DeviceId);
        foreach (var reading in items)
        {
            writer.Write7BitEncodedInt64(reading.Id);
            writer.Write(reading.Timestamp.Ticks);
            writer.Write(reading.DataType);
            writer.Write(reading.Payload);
            writer.Write(reading.Status);
        }
        writer.Write(next is not null);
        if (next is not { } cursor)
            return;
        writer.Write(cursor.Timestamp.Ticks);
        writer.Write7BitEncodedInt64(cursor.Id);
    }

    public Outcome<HistoryPage> Read(BinaryReader reader)
    {
        var items = new StoredReading[Count(reader)];
        var device = reader.ReadString();
        for (var i = 0; i < items.Length; i++)
            items[i] = new StoredReading(reader.Read7BitEncodedInt64(), device, new DateTime(reader.ReadInt64(), DateTimeKind.Utc), reader.ReadString(), reader.ReadString(), reader.ReadString());
        HistoryCursor? next = reader.ReadBoolean() ? new HistoryCursor(new DateTime(reader.ReadInt64(), DateTimeKind.Utc), reader.Read7BitEncodedInt64()) : null;
        return new HistoryPage(items, next);
    }

    /// <summary>Each item has some bytes: of damaged ones no room is made for more than can be there.</summary>
    public static int Count(BinaryReader reader) =>
        reader.Read7BitEncodedInt() is var count && count >= 0 && count <= reader.BaseStream.Length ? count : throw new InvalidDataException("It holds fewer items than it says.");
}

/// <summary>A page of summaries.</summary>
internal sealed class SummaryCodec : ICacheCodec<Outcome<Page<SummaryBucket>>>
{
    public void Write(BinaryWriter writer, Outcome<Page<SummaryBucket>> value)
    {
        writer.Write7BitEncodedInt(value.Value.Items.Count);
        foreach (var bucket in value.Value.Items)
        {
            writer.Write(bucket.Bucket.Ticks);
            writer.Write(bucket.DataType);
            writer.Write(bucket.Metric);
            writer.Write7BitEncodedInt64(bucket.Count);
            writer.Write(bucket.Avg);
            writer.Write(bucket.Min);
            writer.Write(bucket.Max);
            writer.Write(bucket.First);
            writer.Write(bucket.Last);
        }
        writer.Write(value.Value.NextCursor ?? "");
    }

    public Outcome<Page<SummaryBucket>> Read(BinaryReader reader)
    {
        var items = new SummaryBucket[HistoryCodec.Count(reader)];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = new SummaryBucket(
                new DateTime(reader.ReadInt64(), DateTimeKind.Utc), reader.ReadString(), reader.ReadString(), reader.Read7BitEncodedInt64(),
                reader.ReadDouble(), reader.ReadDouble(), reader.ReadDouble(), reader.ReadDouble(), reader.ReadDouble());
        }
        return new Page<SummaryBucket>(items, reader.ReadString() is { Length: > 0 } next ? next : null);
    }
}
