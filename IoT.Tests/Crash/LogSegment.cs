using System.Text.Json;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;

namespace IoT.Tests.Crash;

/// <summary>A segment file of a host that is not running: what records stand in it and where, and ways to damage it.</summary>
internal sealed class LogSegment
{
    private LogSegment(string path)
    {
        Path = path;
        var bytes = File.ReadAllBytes(path);
        SegmentHeader.Read(bytes, out var logId, out _, out _);
        var codec = new RecordCodec(logId);
        long at = SegmentHeader.Bytes;
        while (at + RecordCodec.HeaderBytes <= bytes.Length && codec.TryReadHeader(bytes.AsSpan((int)at), out var header))
        {
            var payload = bytes.AsMemory((int)at + RecordCodec.HeaderBytes, header.Length);
            if (!header.IsSkip && codec.ChecksumOf(payload.Span) == header.PayloadChecksum)
                Records.Add(new Entry(header.Sequence, at + RecordCodec.HeaderBytes, header.Length, NameOf(payload)));
            at += RecordCodec.HeaderBytes + header.Length;
        }
        End = at;
    }

    /// <param name="Sequence">In the log.</param>
    /// <param name="PayloadOffset">In the file.</param>
    /// <param name="PayloadLength">In bytes.</param>
    /// <param name="Name">Device and number, as the oracle names it.</param>
    internal sealed record Entry(long Sequence, long PayloadOffset, int PayloadLength, string Name);

    public string Path { get; }

    public List<Entry> Records { get; } = [];

    /// <summary>Where the last record ends.</summary>
    public long End { get; }

    public static LogSegment LastOf(string dataDirectory) =>
        new(Directory.EnumerateFiles(System.IO.Path.Combine(dataDirectory, "ingest"), "*.log").Order(StringComparer.Ordinal).Last());

    public void Overwrite(long offset, ReadOnlySpan<byte> bytes)
    {
        using var file = File.OpenHandle(Path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.Write(file, bytes, offset);
    }

    public void Flip(long offset, int bit)
    {
        using var file = File.OpenHandle(Path, FileMode.Open, FileAccess.ReadWrite);
        var one = new byte[1];
        RandomAccess.Read(file, one, offset);
        one[0] ^= (byte)(1 << bit);
        RandomAccess.Write(file, one, offset);
    }

    private static string NameOf(ReadOnlyMemory<byte> record)
    {
        var reading = ReadingRecord.Read(record, new DeviceDirectory(), static utf8 => System.Text.Encoding.UTF8.GetString(utf8));
        return $"{reading.Device.Id}/{JsonSerializer.Deserialize<JsonElement>(reading.Payload.Span).GetProperty("n").GetInt32()}";
    }
}
