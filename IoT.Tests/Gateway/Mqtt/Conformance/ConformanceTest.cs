using System.Globalization;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>
/// A case from the specification. It runs against the platform, or, to check the case itself, against the broker that
/// <c>IOT_TEST_BROKER=host:port</c> names.
/// </summary>
public abstract class ConformanceTest(OpenPlatform platform) : IAsyncDisposable
{
    private static readonly string[]? Other = Environment.GetEnvironmentVariable("IOT_TEST_BROKER")?.Split(':');

    private readonly List<MqttPeer> _peers = [];

    protected static bool IsOtherBroker => Other is not null;

    private OpenPlatform Platform { get; } = platform;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var peer in _peers)
            await peer.DisposeAsync();
    }

    /// <summary>What other brokers don't keep to the letter; the platform has to.</summary>
    protected static void Strict(bool isStrict = true) => Assert.SkipWhen(isStrict && IsOtherBroker, "Other brokers are laxer.");

    protected static string NewTopic(string what = "t") => MqttPeer.NewName(what);

    /// <summary>Without CONNECT.</summary>
    protected async Task<MqttPeer> OpenAsync(int version = 5)
    {
        var peer = Other is [var host, var port]
            ? await MqttPeer.OpenAsync(host, int.Parse(port, CultureInfo.InvariantCulture), version)
            : await MqttPeer.OpenAsync("127.0.0.1", Platform.MqttPort, version);
        _peers.Add(peer);
        return peer;
    }

    /// <summary>Signed in.</summary>
    protected async Task<MqttPeer> ConnectAsync(int version = 5, string? id = null, bool clean = true, ushort keepAlive = 0, byte[]? properties = null, Will? will = null)
    {
        var peer = await OpenAsync(version);
        var answer = await peer.ConnectAsync(id ?? MqttPeer.NewName("c"), clean, keepAlive, properties, will);
        Assert.Equal(0, answer.Code);
        return peer;
    }

    /// <summary>With a session that outlives the connection.</summary>
    protected Task<MqttPeer> ResumeAsync(int version, string id, byte[]? properties = null) =>
        ConnectAsync(version, id, clean: false, properties: version < 5 ? null : [.. Prop.SessionExpiry(300), .. properties ?? []]);

    /// <summary>
    /// The broker ends the connection: in MQTT 5 with one of these codes, in 3.1.1 without a word. Other brokers may leave the code out, as
    /// the specification allows.
    /// </summary>
    protected static async Task AssertEndsAsync(MqttPeer peer, params byte[] codes)
    {
        var code = await peer.EndAsync();
        if (IsOtherBroker)
            return;
        if (peer.Version < 5)
            Assert.True(code is null, $"DISCONNECT {code:X2} to an MQTT 3.1.1 client.");
        else
            Assert.True(code is { } said && codes.Contains(said), $"The connection ended with {code?.ToString("X2", CultureInfo.InvariantCulture) ?? "no code"}, not with {Convert.ToHexString(codes)}.");
    }

    /// <summary>That long, where the protocol counts in seconds.</summary>
    protected static Task PassAsync(double seconds) => Task.Delay(TimeSpan.FromSeconds(seconds), TimeProvider.System, TestContext.Current.CancellationToken);
}
