using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace IoT.Modules.Storage.Credentials;

internal enum CredentialKind : byte
{
    Device = 1,
    ApiKey = 2,
    Person = 3,
}

/// <summary>What the mirror keeps of a device, an API key or a person: never a secret, and of people no password hash.</summary>
/// <param name="Exists">False: it has been taken out.</param>
/// <param name="IsEnabled">Of devices; true for the others.</param>
/// <param name="Role">Of API keys and people; null for devices.</param>
/// <param name="Hash">SHA-256 of the token or key; null for people and for devices without one.</param>
internal readonly record struct Credential(CredentialKind Kind, string Name, bool Exists, bool IsEnabled = true, string? Role = null, byte[]? Hash = null)
{
    private const byte ExistsFlag = 1;
    private const byte EnabledFlag = 2;
    private const byte HashFlag = 4;

    /// <summary>Kind (1 byte), flags (1), then the name, and when it exists the role and the hash, each behind its length (2).</summary>
    public void WriteTo(ArrayBufferWriter<byte> target)
    {
        var head = target.GetSpan(2);
        head[0] = (byte)Kind;
        head[1] = (byte)((Exists ? ExistsFlag : 0) | (IsEnabled ? EnabledFlag : 0) | (Hash is null ? 0 : HashFlag));
        target.Advance(2);
        WriteBytes(target, Encoding.UTF8.GetBytes(Name));
        if (!Exists)
            return;
        WriteBytes(target, Encoding.UTF8.GetBytes(Role ?? ""));
        WriteBytes(target, Hash);
    }

    /// <exception cref="InvalidDataException">It is no credential as <see cref="WriteTo"/> writes them.</exception>
    public static Credential Read(ref ReadOnlySpan<byte> source)
    {
        if (source.Length < 2 || (CredentialKind)source[0] is not (CredentialKind.Device or CredentialKind.ApiKey or CredentialKind.Person))
            throw new InvalidDataException("It holds what this version does not know.");
        var (kind, flags) = ((CredentialKind)source[0], source[1]);
        source = source[2..];
        var name = Encoding.UTF8.GetString(ReadBytes(ref source));
        if ((flags & ExistsFlag) == 0)
            return new Credential(kind, name, Exists: false);
        var role = Encoding.UTF8.GetString(ReadBytes(ref source));
        var hash = ReadBytes(ref source);
        return new Credential(kind, name, true, (flags & EnabledFlag) != 0, role.Length == 0 ? null : role, (flags & HashFlag) == 0 ? null : hash.ToArray());
    }

    private static void WriteBytes(ArrayBufferWriter<byte> target, ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(target.GetSpan(2), checked((ushort)bytes.Length));
        target.Advance(2);
        target.Write(bytes);
    }

    private static ReadOnlySpan<byte> ReadBytes(ref ReadOnlySpan<byte> source)
    {
        if (source.Length < 2 || source.Length - 2 < BinaryPrimitives.ReadUInt16LittleEndian(source))
            throw new InvalidDataException("It ends in the middle of an entry.");
        var bytes = source.Slice(2, BinaryPrimitives.ReadUInt16LittleEndian(source));
        source = source[(2 + bytes.Length)..];
        return bytes;
    }
}
