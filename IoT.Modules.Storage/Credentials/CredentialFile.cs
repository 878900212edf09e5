using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using IoT.Modules.Storage.PrivatePostgres;
using Microsoft.Win32.SafeHandles;

namespace IoT.Modules.Storage.Credentials;

/// <summary>
/// The mirror on disk. Little endian: a header (magic, version, SHA-256 of what names the database), then blocks: length (4), entries,
/// and the SHA-256 of the block before (of the header, for the first), this length and these entries. The first block is everything
/// there was when the file was made; each later one is what has changed since, and holds for what came before it. A file in which
/// anything does not check is not read in part: what is missing may be that a credential has ended.
/// </summary>
internal sealed class CredentialFile : IDisposable
{
    private const int Version = 1;
    private const int HeaderBytes = 8 + 4 + SHA256.HashSizeInBytes;
    private const int MaxBytes = 1 << 30;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly SafeFileHandle _file;
    private readonly byte[] _last;

    private CredentialFile(SafeFileHandle file, byte[] last, long length) => (_file, _last, Length, BaseLength) = (file, last, length, length);

    private static ReadOnlySpan<byte> Magic => "IoTCreds"u8;

    /// <summary>Bytes now.</summary>
    public long Length { get; private set; }

    /// <summary>Bytes when it was made.</summary>
    public long BaseLength { get; }

    /// <summary>What names a database, so that a mirror of another one is told.</summary>
    public static byte[] NameOf(string database) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(database));

    /// <summary>Makes the file anew and puts it in the old one's place, durably: at any moment there is the one or the other.</summary>
    public static CredentialFile Replace(string path, ReadOnlySpan<byte> database, ReadOnlySpan<byte> entries)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        var header = HeaderOf(database);
        var last = SHA256.HashData(header);
        var block = BlockOf(entries, last);
        var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        try
        {
            File.SetUnixFileMode(file, OwnerOnly);
            RandomAccess.Write(file, header, 0);
            RandomAccess.Write(file, block, header.Length);
            RandomAccess.FlushToDisk(file);
            File.Move(temporary, path, overwrite: true);
            Posix.SyncDirectory(Path.GetDirectoryName(path)!);
            return new CredentialFile(file, last, header.Length + block.Length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds a block; durable when this returns. After an exception the file is not to be trusted any more.</summary>
    public void Append(ReadOnlySpan<byte> entries)
    {
        var block = BlockOf(entries, _last);
        RandomAccess.Write(_file, block, Length);
        RandomAccess.FlushToDisk(_file);
        Length += block.Length;
    }

    /// <summary>Everything in the file, in order: a later entry of a name holds. Null when there is none.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or another database's.</exception>
    public static List<Credential>? Read(string path, ReadOnlySpan<byte> database)
    {
        if (!File.Exists(path))
            return null;
        if (new FileInfo(path).Length > MaxBytes)
            throw new InvalidDataException("It is larger than any such file.");
        ReadOnlySpan<byte> rest = File.ReadAllBytes(path);
        if (rest.Length < HeaderBytes || !rest.StartsWith(Magic))
            throw new InvalidDataException("It is not such a file.");
        if (BinaryPrimitives.ReadInt32LittleEndian(rest[Magic.Length..]) is var version and not Version)
            throw new InvalidDataException($"It has version {version}; this host knows {Version}.");
        if (!rest[(Magic.Length + 4)..HeaderBytes].SequenceEqual(database))
            throw new InvalidDataException("It mirrors another database than the one in ConnectionStrings__Postgres.");

        var last = SHA256.HashData(rest[..HeaderBytes]);
        rest = rest[HeaderBytes..];
        var credentials = new List<Credential>();
        do
        {
            var entries = EntriesOf(ref rest, last);
            while (entries.Length > 0)
                credentials.Add(Credential.Read(ref entries));
        }
        while (rest.Length > 0);
        return credentials;
    }

    public void Dispose() => _file.Dispose();

    private static byte[] HeaderOf(ReadOnlySpan<byte> database)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(Magic.Length), Version);
        database.CopyTo(header.AsSpan(Magic.Length + 4));
        return header;
    }

    private static byte[] BlockOf(ReadOnlySpan<byte> entries, byte[] last)
    {
        var block = new byte[4 + entries.Length + SHA256.HashSizeInBytes];
        BinaryPrimitives.WriteInt32LittleEndian(block, entries.Length);
        entries.CopyTo(block.AsSpan(4));
        Chain(last, block.AsSpan(0, 4 + entries.Length));
        last.CopyTo(block, 4 + entries.Length);
        return block;
    }

    private static ReadOnlySpan<byte> EntriesOf(ref ReadOnlySpan<byte> rest, byte[] last)
    {
        var length = rest.Length < 4 ? -1 : BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (length < 0 || rest.Length - 4 - SHA256.HashSizeInBytes < length)
            throw new InvalidDataException("It ends in the middle of a block.");
        Chain(last, rest[..(4 + length)]);
        if (!rest.Slice(4 + length, SHA256.HashSizeInBytes).SequenceEqual(last))
            throw new InvalidDataException("A checksum does not fit.");
        var entries = rest.Slice(4, length);
        rest = rest[(4 + length + SHA256.HashSizeInBytes)..];
        return entries;
    }

    private static void Chain(byte[] last, ReadOnlySpan<byte> content)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(last);
        hash.AppendData(content);
        hash.GetHashAndReset(last);
    }
}
