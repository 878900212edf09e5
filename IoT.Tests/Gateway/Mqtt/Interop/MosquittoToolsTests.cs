using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Gateway.Tls;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Interop;

/// <summary>mosquitto_pub and mosquitto_sub, as users have them.</summary>
[Collection(nameof(TlsPlatform))]
public sealed class MosquittoToolsTests(OpenPlatform open, TlsPlatform tls)
{
    [Theory]
    [InlineData("mqttv311", "0")]
    [InlineData("mqttv311", "1")]
    [InlineData("mqttv311", "2")]
    [InlineData("mqttv31", "1")]
    [InlineData("mqttv5", "0")]
    [InlineData("mqttv5", "1")]
    [InlineData("mqttv5", "2")]
    public async Task What_is_published_arrives(string version, string qos)
    {
        var topic = MqttPeer.NewName("tools");
        await using var subscriber = await SubscribeAsync(version, "-q", qos, "-t", $"{topic}/#", "-v", "-C", "3");
        foreach (var text in new[] { "one", "two", "three" })
            await PublishAsync(version, "-q", qos, "-t", $"{topic}/a", "-m", text);
        var result = await subscriber.EndAsync();
        Assert.Equal(0, result.ExitCode);
        Assert.Equal([$"{topic}/a one", $"{topic}/a two", $"{topic}/a three"], result.Output.Split('\n').Where(line => line.StartsWith(topic, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("mqttv311")]
    [InlineData("mqttv5")]
    public async Task Retained_messages_and_their_removal(string version)
    {
        var topic = MqttPeer.NewName("tools");
        await PublishAsync(version, "-r", "-q", "1", "-t", topic, "-m", "kept");
        var late = await ClientTool.RunAsync("mosquitto_sub", [.. Open(version), "-t", topic, "-C", "1", "-W", "20", "-F", "%r %p"]);
        Assert.Equal("1 kept", late.Output);
        await PublishAsync(version, "-r", "-n", "-q", "1", "-t", topic);
        var nothing = await ClientTool.RunAsync("mosquitto_sub", [.. Open(version), "-t", topic, "-C", "1", "-W", "1"]);
        Assert.Equal("", nothing.Output);
    }

    [Theory]
    [InlineData("mqttv311")]
    [InlineData("mqttv5")]
    public async Task A_will_when_the_client_is_killed(string version)
    {
        var topic = MqttPeer.NewName("tools");
        await using var watcher = await SubscribeAsync(version, "-t", topic, "-q", "1", "-C", "1");
        await using (await SubscribeAsync(version, "-t", $"{topic}/other", "--will-topic", topic, "--will-payload", "killed", "--will-qos", "1"))
        {
            // Disposal kills it.
        }
        Assert.Contains("killed", (await watcher.EndAsync()).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mqttv311")]
    [InlineData("mqttv5")]
    public async Task Messages_wait_for_a_client_with_a_session(string version)
    {
        var (topic, id) = (MqttPeer.NewName("tools"), MqttPeer.NewName("client"));
        string[] session = ["-i", id, "-c", "-q", "2", "-t", topic, .. version == "mqttv5" ? new[] { "-x", "300" } : []];
        await using (await SubscribeAsync(version, session))
        {
        }
        for (var n = 0; n < 3; n++)
            await PublishAsync(version, "-q", "2", "-t", topic, "-m", $"{n}");
        var back = await ClientTool.RunAsync("mosquitto_sub", [.. Open(version), .. session, "-C", "3", "-W", "20"]);
        Assert.Equal("0\n1\n2", back.Output);
    }

    [Fact]
    public async Task A_shared_subscription()
    {
        var topic = MqttPeer.NewName("tools");
        await using var one = await SubscribeAsync("mqttv5", "-q", "1", "-t", $"$share/tools/{topic}", "-C", "2");
        await using var two = await SubscribeAsync("mqttv5", "-q", "1", "-t", $"$share/tools/{topic}", "-C", "2");
        for (var n = 0; n < 4; n++)
            await PublishAsync("mqttv5", "-q", "1", "-t", topic, "-m", $"m{n}");
        var texts = new[] { await one.EndAsync(), await two.EndAsync() }.SelectMany(result => result.Output.Split('\n')).Where(line => line.StartsWith('m')).Order();
        Assert.Equal(["m0", "m1", "m2", "m3"], texts);
    }

    [Fact]
    public async Task Properties_of_version_5()
    {
        var topic = MqttPeer.NewName("tools");
        await using var subscriber = await SubscribeAsync("mqttv5", "-t", topic, "-q", "1", "-C", "1", "-F", "%p %C %R %D %P");
        await PublishAsync("mqttv5", "-q", "1", "-t", topic, "-m", "p", "-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "r/t",
            "-D", "publish", "correlation-data", "c", "-D", "publish", "user-property", "a", "1");
        Assert.Contains("p text/plain r/t c a:1", (await subscriber.EndAsync()).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mqttv311", "tlsv1.2")]
    [InlineData("mqttv5", "tlsv1.3")]
    public async Task Over_TLS_with_a_CA_and_a_token_or_a_certificate(string version, string tlsVersion)
    {
        var device = await tls.NewDeviceAsync();
        using var certificate = tls.Authority.Client($"CN={device.Id}");
        await File.WriteAllTextAsync(tls.PathOf($"{device.Id}.pem"), certificate.ExportCertificatePem(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(tls.PathOf($"{device.Id}.key"), TestCertificates.KeyPem(certificate), TestContext.Current.CancellationToken);
        string[] common = ["-h", "127.0.0.1", "-p", $"{tls.MqttTlsPort}", "-V", version, "--tls-version", tlsVersion, "--cafile", tls.PathOf("ca.pem"), "-q", "1", "-t", device.Topic, "-m", """{"data_type":"t","payload":{"x":1}}"""];
        var withToken = await ClientTool.RunAsync("mosquitto_pub", [.. common, "-u", device.Id, "-P", device.Token]);
        Assert.True(withToken.ExitCode == 0, withToken.ToString());
        var withCertificate = await ClientTool.RunAsync("mosquitto_pub", [.. common, "--cert", tls.PathOf($"{device.Id}.pem"), "--key", tls.PathOf($"{device.Id}.key")]);
        Assert.True(withCertificate.ExitCode == 0, withCertificate.ToString());
        Assert.Equal(2, await tls.StoredAsync(device.Id));
        Assert.NotEqual(0, (await ClientTool.RunAsync("mosquitto_pub", common)).ExitCode);
    }

    private string[] Open(string version) => ["-h", "127.0.0.1", "-p", $"{open.MqttPort}", "-V", version];

    private async Task PublishAsync(string version, params string[] arguments)
    {
        var sent = await ClientTool.RunAsync("mosquitto_pub", [.. Open(version), .. arguments]);
        Assert.True(sent.ExitCode == 0, sent.ToString());
    }

    /// <summary>Once it is subscribed.</summary>
    private async Task<ClientTool> SubscribeAsync(string version, params string[] arguments)
    {
        var subscriber = ClientTool.Start("stdbuf", ["-oL", "mosquitto_sub", .. Open(version), "-d", .. arguments]);
        await Eventually.TrueAsync(() => Task.FromResult(subscriber.Lines.Any(line => line.Contains("SUBACK", StringComparison.Ordinal))), "the subscription");
        return subscriber;
    }
}
