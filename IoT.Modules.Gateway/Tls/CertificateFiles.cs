using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Tls;

/// <summary>What the TLS listeners work with at a time.</summary>
/// <param name="Server">The certificate with its key, and those that lead to its root.</param>
/// <param name="ClientRoots">Who may have signed clients' certificates; null: none are asked for.</param>
internal sealed record Certificates(SslStreamCertificateContext Server, X509Certificate2Collection? ClientRoots)
{
    public X509Certificate2 Leaf => Server.TargetCertificate;
}

/// <summary>The PEM files of the settings, as bytes: two readings are compared, and made into certificates when they differ.</summary>
internal sealed class CertificateFiles
{
    private const int MaxBytes = 1024 * 1024;

    private readonly string _certificate;
    private readonly string _key;
    private readonly string? _clientCa;

    private CertificateFiles(string certificate, string key, string? clientCa) => (_certificate, _key, _clientCa) = (certificate, key, clientCa);

    /// <exception cref="StartupException">A file can't be read; the message names the setting and the path.</exception>
    public static CertificateFiles Read(ListenOptions listen) => new(
        Read(nameof(ListenOptions.CertificatePath), listen.CertificatePath!),
        Read(nameof(ListenOptions.CertificateKeyPath), listen.KeyPath),
        listen.ClientCaPath is { } ca ? Read(nameof(ListenOptions.ClientCaPath), ca) : null);

    public bool IsSameAs(CertificateFiles other) => _certificate == other._certificate && _key == other._key && _clientCa == other._clientCa;

    /// <exception cref="StartupException">They do not hold what they should.</exception>
    public Certificates Parse(ListenOptions listen)
    {
        var chain = Import(_certificate, nameof(ListenOptions.CertificatePath), listen.CertificatePath!);
        using var leaf = WithKey(listen);
        chain.RemoveAt(0);
        // A key that came out of PEM has to be loaded as a whole once more, or some platforms' TLS does not take it.
        var server = SslStreamCertificateContext.Create(X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pkcs12), null), chain, offline: true);
        return new Certificates(server, _clientCa is null ? null : Import(_clientCa, nameof(ListenOptions.ClientCaPath), listen.ClientCaPath!));
    }

    private X509Certificate2 WithKey(ListenOptions listen)
    {
        var (setting, path) = (nameof(ListenOptions.CertificateKeyPath), listen.KeyPath);
        if (_key.Contains("-----BEGIN ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal) || _key.Contains("Proc-Type: 4,ENCRYPTED", StringComparison.Ordinal))
            throw Wrong(setting, path, "the private key in it is encrypted; give one that is not, readable by the host alone");
        if (!_key.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
            throw Wrong(setting, path, "it holds no private key in PEM");
        try
        {
            return X509Certificate2.CreateFromPem(_certificate, _key);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            throw Wrong(setting, path, $"its private key is not that of the first certificate in {listen.CertificatePath}, or is damaged");
        }
    }

    private static X509Certificate2Collection Import(string pem, string setting, string path)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            throw Wrong(setting, path, "a certificate in it is damaged");
        }
        return certificates.Count > 0 ? certificates : throw Wrong(setting, path, "it holds no certificate in PEM");
    }

    private static string Read(string setting, string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MaxBytes)
                throw Wrong(setting, path, "it is larger than 1 MiB");
            using var reader = new StreamReader(file, Encoding.Latin1);
            return reader.ReadToEnd();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Wrong(setting, path, "there is no such file");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Wrong(setting, path, $"it can't be read: {exception.Message}");
        }
    }

    private static StartupException Wrong(string setting, string path, string what) => new($"{ListenOptions.Section}__{setting}={path}: {what}.");
}
