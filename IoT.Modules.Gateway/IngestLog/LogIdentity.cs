namespace IoT.Modules.Gateway.IngestLog;

/// <summary>The file <c>log.id</c>: "IoTLogId", the log's id (16 bytes), CRC32C of both. Replaced whole, never changed in place.</summary>
internal static class LogIdentity
{
    public const string Name = "log.id";
    public const string TemporaryName = "log.id.tmp";
    private const int Bytes = 28;

    private static ReadOnlySpan<byte> Magic => "IoTLogId"u8;

    /// <summary>Null when the file is missing or damaged.</summary>
    public static Guid? Read(ILogFiles files)
    {
        if (!files.List().Contains(Name))
            return null;
        using var file = files.Open(Name);
        Span<byte> content = stackalloc byte[Bytes];
        return file.Read(content, 0) == Bytes && content.StartsWith(Magic) && RecordCodec.Crc(uint.MaxValue, content[..24]) == BitConverter.ToUInt32(content[24..])
            ? new Guid(content.Slice(8, 16))
            : null;
    }

    public static void Write(ILogFiles files, Guid id)
    {
        Span<byte> content = stackalloc byte[Bytes];
        Magic.CopyTo(content);
        id.TryWriteBytes(content[8..]);
        BitConverter.TryWriteBytes(content[24..], RecordCodec.Crc(uint.MaxValue, content[..24]));
        using (var file = files.Create(TemporaryName, Bytes))
        {
            file.Write(content, 0);
            file.Sync();
        }
        files.Rename(TemporaryName, Name);
        files.SyncDirectory();
    }
}
