using System.Net.Security;
using System.Security.Authentication;
using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Tls;

/// <summary>MQTT and HTTP over TLS, and certificates that are replaced.</summary>
[Collection(nameof(TlsPlatform))]
public sealed class TlsTests(TlsPlatform platform)
{
    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task Mqtt_over_TLS_1_2_and_1_3(SslProtocols version)
    {
        var device = await platform.NewDeviceAsync();
        var stream = await platform.HandshakeAsync(protocols: version);
        Assert.Equal(version, stream.SslProtocol);
        await using var peer = new MqttPeer(stream, 5);
        Assert.Equal(0, (await peer.ConnectAsync("c", user: device.Id, password: device.Token)).Code);
        Assert.Equal(0, await peer.PublishAsync(device.Topic, """{"data_type":"t","payload":{"x":1}}""", 1));
        Assert.Equal(1, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task TLS_1_1_is_refused()
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", platform.MqttTlsPort, TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        // ClientHello of version 3.2 with one cipher suite.
        await stream.WriteAsync(Bytes.Hex($"16 0301 002D 01 000029 0302 {new string('5', 64)} 00 0002 002F 01 00"), TestContext.Current.CancellationToken);
        var alert = new byte[7];
        await stream.ReadExactlyAsync(alert, TestContext.Current.CancellationToken);
        Assert.Equal(0x15, alert[0]);
        const byte protocolVersion = 70;
        Assert.Equal(protocolVersion, alert[6]);
    }

    [Fact]
    public async Task A_token_is_still_needed()
    {
        await using var peer = await platform.OpenAsync();
        Assert.Equal(0x87, (await peer.ConnectAsync("c")).Code);
    }

    [Fact]
    public async Task Https_answers()
    {
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => platform.Authority.IsMine(certificate) } });
        using var answer = await http.GetAsync(new Uri($"https://localhost:{platform.HttpsPort}/health/live"), TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_client_that_speaks_MQTT_without_TLS_is_disconnected()
    {
        await using var peer = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttTlsPort, 5);
        await peer.SendAsync(peer.ConnectPacket("c", true, 0, null, null));
        Assert.Null(await peer.EndAsync());
    }

    [Fact]
    public async Task Who_begins_no_TLS_or_no_MQTT_in_it_is_closed()
    {
        await using var silent = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttTlsPort, 5);
        await using var encrypted = await platform.OpenAsync();
        var start = TimeProvider.System.GetTimestamp();
        Assert.Equal([null, null], await Task.WhenAll(silent.EndAsync(), encrypted.EndAsync()));
        Assert.InRange(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 3, 15);
    }

    [Fact]
    public async Task A_client_that_names_protocols_gets_in_all_the_same()
    {
        await using var tcp = await platform.HandshakeAsync();
        var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", platform.MqttTlsPort, TestContext.Current.CancellationToken);
        await using var stream = new SslStream(client.GetStream(), false, (_, certificate, _, _) => platform.Authority.IsMine(certificate));
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "localhost", ApplicationProtocols = [new SslApplicationProtocol("x-maker-mqtt")] }, TestContext.Current.CancellationToken);
        Assert.True(stream.IsAuthenticated);
    }

    [Fact]
    public async Task A_replaced_certificate_is_used_without_a_restart_and_open_connections_stay()
    {
        var device = await platform.NewDeviceAsync();
        await using var open = await platform.OpenAsync();
        Assert.Equal(0, (await open.ConnectAsync("c", user: device.Id, password: device.Token)).Code);

        using var next = platform.Authority.Server(days: 60);
        platform.Install(next);
        await ServedAsync(next.GetSerialNumberString());
        await open.PingAsync();
        Assert.Equal(0, await open.PublishAsync(device.Topic, """{"data_type":"t","payload":{"x":1}}""", 1));

        // What is no certificate changes nothing, and is said.
        await File.WriteAllTextAsync(platform.PathOf("server.pem"), "no certificate", TestContext.Current.CancellationToken);
        await AlarmAsync("certificate_unreadable", stands: true);
        await ServedAsync(next.GetSerialNumberString());
        await open.PingAsync();

        using var soon = platform.Authority.Server(days: 5);
        platform.Install(soon);
        await ServedAsync(soon.GetSerialNumberString());
        await AlarmAsync("certificate_unreadable", stands: false);
        await AlarmAsync("certificate_expires", stands: true);
        platform.Install(next);
        await ServedAsync(next.GetSerialNumberString());
    }

    private Task ServedAsync(string serialNumber) => Eventually.TrueAsync(
        async () =>
        {
            await using var stream = await platform.HandshakeAsync();
            return stream.RemoteCertificate!.GetSerialNumberString() == serialNumber;
        },
        $"the certificate {serialNumber}");

    private Task AlarmAsync(string name, bool stands) => Eventually.TrueAsync(
        async () => (await platform.Client.ReadAsync("/health/ready")).Text.Contains(name, StringComparison.Ordinal) == stands, $"{name}: {stands}");
}
