using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

internal enum ReadingPriority : byte
{
    Normal,
    High,
}

/// <summary>What an element says, before admission.</summary>
/// <param name="Index">Its place in the array, or among the lines that are not blank; 0 for a single object.</param>
/// <param name="DeviceId">The device's own string when it is known; null: not given.</param>
/// <param name="Device">Null: not given, or not known. Only the caller decides whether it may be registered.</param>
/// <param name="Timestamp">UTC, cut to the microsecond, within the allowed range; null: not given.</param>
/// <param name="DataType">1 to 50 characters.</param>
/// <param name="Payload">A slice of the caller's buffer: one JSON object that <c>jsonb</c> takes.</param>
/// <param name="MessageId">1 to 128 characters; null: not given.</param>
/// <param name="Bytes">All of it: a slice of the caller's buffer.</param>
internal readonly record struct ParsedReading(
    int Index,
    string? DeviceId,
    DeviceEntry? Device,
    DateTime? Timestamp,
    string DataType,
    ReadOnlyMemory<byte> Payload,
    string? MessageId,
    ReadingPriority Priority,
    ReadOnlyMemory<byte> Bytes);

/// <summary>An element that is refused. The error begins with the field's path: <c>payload.a.b: …</c>.</summary>
internal readonly record struct RejectedReading(int Index, string Error);

/// <summary>
/// What a body holds. An empty array holds nothing at all (<see cref="Count"/> is 0); an empty body is one rejected entry.
/// </summary>
/// <param name="body">What was parsed.</param>
internal sealed class ParsedBatch(ReadOnlyMemory<byte> body)
{
    private List<RejectedReading>? _rejected;
    private List<ReadOnlyMemory<byte>>? _rejectedBytes;

    public List<ParsedReading> Readings { get; private set; } = [];

    public IReadOnlyList<RejectedReading> Rejected => _rejected is null ? [] : _rejected;

    /// <summary>What was sent as the entry at that place among <see cref="Rejected"/>: a slice of the body, or all of it.</summary>
    public ReadOnlyMemory<byte> BytesOfRejected(int place) => _rejectedBytes![place];

    /// <summary>More elements or lines than the limit: nothing of it is kept.</summary>
    public bool TooMany { get; private set; }

    /// <summary>Readings and rejected entries; garbage around the elements counts as one entry.</summary>
    public int Count => Readings.Count + (_rejected?.Count ?? 0);

    /// <summary>Whether any of its readings is of high priority: then the request that brings them is.</summary>
    public bool HasHighPriority => Readings.Exists(static reading => reading.Priority == ReadingPriority.High);

    internal ParsedBatch Reject(int index, string error, ReadOnlyMemory<byte>? bytes = null)
    {
        (_rejectedBytes ??= []).Add(bytes ?? body);
        (_rejected ??= []).Add(new RejectedReading(index, error));
        return this;
    }

    internal ParsedBatch Overflow()
    {
        (Readings, _rejected, _rejectedBytes, TooMany) = ([], null, null, true);
        return this;
    }
}
