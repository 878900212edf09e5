using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace IoT.Modules.Storage.Contracts;

/// <summary>
/// Device ids are text outside and UUID inside: RFC 9562 version 5 (SHA-1) of the id's UTF-8 bytes under one fixed namespace,
/// so that ingest needs no look-up.
/// </summary>
public static class DeviceUuid
{
    private static readonly byte[] NamespaceBytes = new Guid("6f1d7a52-6d0b-5c0e-9a3e-3f2f6f1b8c11").ToByteArray(bigEndian: true);

    /// <summary>The UUID of a device id (1 to 128 of <c>A-Z a-z 0-9 . _ : -</c>).</summary>
    public static Guid Of(string deviceId)
    {
        Span<byte> input = stackalloc byte[16 + Encoding.UTF8.GetMaxByteCount(DeviceId.MaxLength)];
        NamespaceBytes.CopyTo(input);
        var length = 16 + Encoding.UTF8.GetBytes(deviceId, input[16..]);
        Span<byte> hash = stackalloc byte[20];
        // SHA-1 is what version 5 prescribes; it names things here, it protects nothing.
#pragma warning disable CA5350
        SHA1.HashData(input[..length], hash);
#pragma warning restore CA5350
        var head = BinaryPrimitives.ReadUInt64BigEndian(hash) & 0xFFFFFFFFFFFF0FFF | 0x5000;
        BinaryPrimitives.WriteUInt64BigEndian(hash, head);
        hash[8] = (byte)(hash[8] & 0x3F | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}

/// <summary>What a device id may look like.</summary>
public static class DeviceId
{
    public const int MaxLength = 128;

    /// <summary>The rule in words, for error messages.</summary>
    public const string Rule = "1 to 128 of A-Z a-z 0-9 . _ : -";

    private static readonly System.Buffers.SearchValues<byte> AllowedBytes =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"u8);

    private static readonly System.Buffers.SearchValues<char> AllowedChars =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    public static bool IsValid(ReadOnlySpan<byte> utf8) =>
        utf8.Length is > 0 and <= MaxLength && !utf8.ContainsAnyExcept(AllowedBytes);

    public static bool IsValid(ReadOnlySpan<char> text) =>
        text.Length is > 0 and <= MaxLength && !text.ContainsAnyExcept(AllowedChars);
}
