using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Tls;

/// <summary>A platform with TLS listeners, and the authority that its certificates are of; one for all who need it.</summary>
[CollectionDefinition(nameof(TlsPlatform))]
public sealed class TlsPlatform : StartedPlatform, ICollectionFixture<TlsPlatform>
{
    public TlsPlatform()
    {
        MqttTlsPort = FreePort.Next();
        HttpsPort = FreePort.Next();
        Set("Listen__MqttTls", MqttTlsPort.ToString(CultureInfo.InvariantCulture));
        Set("Listen__Https", HttpsPort.ToString(CultureInfo.InvariantCulture));
        Set("Listen__CertificatePath", PathOf("server.pem"));
        Set("Listen__CertificateKeyPath", PathOf("server.key"));
        Set("Listen__ClientCaPath", PathOf("ca.pem"));
        using var certificate = Authority.Server();
        Install(certificate);
        File.WriteAllText(PathOf("ca.pem"), Authority.RootPem);
    }

    public TestCertificates Authority { get; } = new();

    public int MqttTlsPort { get; }

    public int HttpsPort { get; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("iot-tls-").FullName;

    public string PathOf(string file) => Path.Combine(Folder, file);

    /// <summary>As tools that renew certificates do: one file after the other.</summary>
    public void Install(X509Certificate2 certificate)
    {
        File.WriteAllText(PathOf("server.key"), TestCertificates.KeyPem(certificate));
        File.WriteAllText(PathOf("server.pem"), certificate.ExportCertificatePem());
    }

    /// <summary>After the handshake; the server's certificate was found to be of the authority.</summary>
    public async Task<SslStream> HandshakeAsync(X509Certificate2? client = null, SslProtocols protocols = SslProtocols.None, int? port = null)
    {
        var tcp = new TcpClient { NoDelay = true };
        await tcp.ConnectAsync("127.0.0.1", port ?? MqttTlsPort, TestContext.Current.CancellationToken);
        var stream = new SslStream(tcp.GetStream());
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "localhost",
                    EnabledSslProtocols = protocols,
                    ClientCertificates = client is null ? null : [client],
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => Authority.IsMine(certificate),
                },
                TestContext.Current.CancellationToken);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    public async Task<MqttPeer> OpenAsync(X509Certificate2? client = null, int version = 5) => new(await HandshakeAsync(client), version);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Authority.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
