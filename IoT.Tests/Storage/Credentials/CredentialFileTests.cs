using System.Buffers;
using IoT.Modules.Storage.Credentials;
using Xunit;

namespace IoT.Tests.Storage.Credentials;

public sealed class CredentialFileTests : IDisposable
{
    private static readonly byte[] Database = CredentialFile.NameOf("db:5432/iot");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("iot-mirror-");

    private string FilePath => Path.Combine(_folder.FullName, "credentials");

    [Fact]
    public void What_is_written_and_added_comes_back_in_order()
    {
        Credential[] first = [Device("a", 1), new(CredentialKind.Device, "b", true, IsEnabled: false), new(CredentialKind.ApiKey, "k", true, Role: "viewer", Hash: [1, 2]), new(CredentialKind.Person, "p", true, Role: "admin")];
        Credential[] second = [new(CredentialKind.Device, "a", Exists: false)];
        Credential[] third = [new(CredentialKind.ApiKey, "k", Exists: false), Device("a", 2)];
        Make(first, second, third);
        var read = CredentialFile.Read(FilePath, Database)!;
        Assert.Equivalent(first.Concat(second).Concat(third), read, strict: true);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
    }

    [Fact]
    public void A_file_with_any_byte_changed_is_not_read()
    {
        Make([Device("a", 1), Device("b", 2)], [new(CredentialKind.Device, "a", Exists: false)]);
        var bytes = File.ReadAllBytes(FilePath);
        for (var at = 0; at < bytes.Length; at++)
        {
            foreach (var bit in new[] { 1, 128 })
            {
                bytes[at] ^= (byte)bit;
                File.WriteAllBytes(FilePath, bytes);
                Assert.Throws<InvalidDataException>(() => CredentialFile.Read(FilePath, Database));
                bytes[at] ^= (byte)bit;
            }
        }
    }

    [Fact]
    public void A_file_that_ends_in_the_middle_of_a_change_is_not_read()
    {
        var made = Make([Device("a", 1)]);
        Make([Device("a", 1)], [new(CredentialKind.Device, "a", Exists: false)]);
        var bytes = File.ReadAllBytes(FilePath);
        for (var length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(FilePath, bytes[..length]);
            if (length == made)
                continue; // As it was before the change, which was not answered yet.
            Assert.Throws<InvalidDataException>(() => CredentialFile.Read(FilePath, Database));
        }
    }

    [Fact]
    public void Another_databases_file_is_not_read_and_none_is_none()
    {
        Assert.Null(CredentialFile.Read(FilePath, Database));
        Make([Device("a", 1)]);
        Assert.Throws<InvalidDataException>(() => CredentialFile.Read(FilePath, CredentialFile.NameOf("db:5432/other")));
    }

    [Fact]
    public void A_hundred_thousand_devices_are_a_file_of_some_megabytes()
    {
        Make([.. Enumerable.Range(0, 100_000).Select(n => Device($"hall-a-machine-{n}", n))]);
        Assert.InRange(new FileInfo(FilePath).Length, 1_000_000, 10_000_000);
        Assert.Equal(100_000, CredentialFile.Read(FilePath, Database)!.Count);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static Credential Device(string name, int n) =>
        new(CredentialKind.Device, name, true, Hash: System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(n)));

    private long Make(params Credential[][] blocks)
    {
        using var file = CredentialFile.Replace(FilePath, Database, Entries(blocks[0]).WrittenSpan);
        foreach (var block in blocks[1..])
            file.Append(Entries(block).WrittenSpan);
        return file.Length;
    }

    private static ArrayBufferWriter<byte> Entries(Credential[] credentials)
    {
        var entries = new ArrayBufferWriter<byte>();
        foreach (var credential in credentials)
            credential.WriteTo(entries);
        return entries;
    }
}
