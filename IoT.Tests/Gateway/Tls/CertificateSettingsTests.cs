using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Tls;

/// <summary>What is wrong with certificate files is one line that names setting and path.</summary>
public sealed class CertificateSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("iot-tls-").FullName;
    private readonly TestCertificates _authority = new();

    [Theory]
    [InlineData("none", null, null, "needs Listen__CertificatePath")]
    [InlineData("missing", "missing.pem", null, "Listen__CertificatePath={0}/missing.pem: there is no such file")]
    [InlineData("folder", ".", null, "Listen__CertificatePath={0}/.: it can't be read")]
    [InlineData("text", "text", "good.key", "Listen__CertificatePath={0}/text: it holds no certificate")]
    [InlineData("damaged", "damaged.pem", "good.key", "Listen__CertificatePath={0}/damaged.pem: a certificate in it is damaged")]
    [InlineData("no key", "good.pem", "missing.key", "Listen__CertificateKeyPath={0}/missing.key: there is no such file")]
    [InlineData("key is none", "good.pem", "good.pem", "Listen__CertificateKeyPath={0}/good.pem: it holds no private key")]
    [InlineData("no key in the same file", "good.pem", null, "Listen__CertificateKeyPath={0}/good.pem: it holds no private key")]
    [InlineData("encrypted", "good.pem", "encrypted.key", "Listen__CertificateKeyPath={0}/encrypted.key: the private key in it is encrypted")]
    [InlineData("other key", "good.pem", "other.key", "Listen__CertificateKeyPath={0}/other.key: its private key is not that of")]
    [InlineData("CA", "good.pem", "good.key", "Listen__ClientCaPath={0}/text: it holds no certificate", "text")]
    public async Task Wrong_files_stop_the_start(string what, string? certificate, string? key, string said, string? clientCa = null)
    {
        _ = what;
        using var good = _authority.Server();
        using var other = _authority.Server();
        Write("good.pem", good.ExportCertificatePem());
        Write("good.key", TestCertificates.KeyPem(good));
        Write("other.key", TestCertificates.KeyPem(other));
        Write("encrypted.key", good.GetECDsaPrivateKey()!.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
        Write("text", "some text");
        Write("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        await using var platform = new Platform(("Listen__MqttTls", FreePort.Next().ToString(CultureInfo.InvariantCulture)));
        if (certificate is not null)
            platform.Set("Listen__CertificatePath", $"{_folder}/{certificate}");
        if (key is not null)
            platform.Set("Listen__CertificateKeyPath", $"{_folder}/{key}");
        if (clientCa is not null)
            platform.Set("Listen__ClientCaPath", $"{_folder}/{clientCa}");
        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());
        var line = Assert.Single(platform.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(string.Format(CultureInfo.InvariantCulture, said, _folder), line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", platform.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(platform.DataDirectory, "postgres")), "PostgreSQL was started before the certificate was read.");
    }

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);
}
