using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Tls;

/// <summary>Client certificates instead of tokens.</summary>
[Collection(nameof(TlsPlatform))]
public sealed class ClientCertificateTests(TlsPlatform platform)
{
    private const string Reading = """{"data_type":"t","payload":{"x":1}}""";

    [Theory]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(5, true)]
    public async Task A_certificate_of_the_CA_lets_its_device_in_and_no_other(int version, bool withUserName)
    {
        var device = await platform.NewDeviceAsync();
        var other = await platform.NewDeviceAsync();
        using var certificate = platform.Authority.Client($"O=Plant, CN={device.Id}");
        await using var peer = await platform.OpenAsync(certificate, version);
        Assert.Equal(0, (await peer.ConnectAsync("c", user: withUserName ? device.Id : null)).Code);
        Assert.Equal(0, await peer.PublishAsync(device.Topic, Reading, 1));
        Assert.Equal(1, await platform.StoredAsync(device.Id));
        Assert.Equal(version == 5 ? 0x87 : 0, await peer.PublishAsync(other.Topic, Reading, 1));
        Assert.Equal(0, await platform.StoredAsync(other.Id));
    }

    [Fact]
    public async Task A_token_counts_before_a_certificate_and_a_user_name_must_not_be_anothers()
    {
        var (one, two) = (await platform.NewDeviceAsync(), await platform.NewDeviceAsync());
        using var certificate = platform.Authority.Client($"CN={one.Id}");
        Assert.Equal(0, await ConnectAsync(two.Id, two.Token));
        Assert.Equal(0x86, await ConnectAsync(one.Id, "wrong"));
        Assert.Equal(0x86, await ConnectAsync(two.Id, null));

        async Task<byte> ConnectAsync(string user, string? password)
        {
            await using var peer = await platform.OpenAsync(certificate);
            return (await peer.ConnectAsync("c", user: user, password: password)).Code;
        }
    }

    [Theory]
    [InlineData("CN=never-registered")]
    [InlineData("CN=not a device id")]
    [InlineData("O=without a name")]
    [InlineData("CN=two, CN=names")]
    public async Task A_certificate_that_names_no_device_lets_nobody_in(string subject)
    {
        using var certificate = platform.Authority.Client(subject);
        await using var peer = await platform.OpenAsync(certificate);
        Assert.Equal(0x87, (await peer.ConnectAsync("c")).Code);
    }

    [Fact]
    public async Task A_certificate_of_another_CA_an_expired_one_and_a_servers_are_refused()
    {
        var device = await platform.NewDeviceAsync();
        using var strangers = new TestCertificates();
        using var strange = strangers.Client($"CN={device.Id}");
        using var expired = platform.Authority.Client($"CN={device.Id}", days: 0);
        using var server = platform.Authority.Server();
        foreach (var certificate in new[] { strange, expired, server })
            Assert.False(await IsLetInAsync(certificate));

        async Task<bool> IsLetInAsync(System.Security.Cryptography.X509Certificates.X509Certificate2 certificate)
        {
            try
            {
                await using var peer = await platform.OpenAsync(certificate);
                await peer.SendAsync(peer.ConnectPacket("c", true, 0, null, null));
                return await peer.ReadAsync() is { Kind: Kind.ConnAck, Code: 0 };
            }
            catch (Exception exception) when (exception is IOException or System.Security.Authentication.AuthenticationException)
            {
                return false;
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_device_that_is_disabled_or_deleted_is_disconnected_and_stays_out(bool isDeleted)
    {
        var device = await platform.NewDeviceAsync();
        using var certificate = platform.Authority.Client($"CN={device.Id}");
        await using var peer = await platform.OpenAsync(certificate);
        Assert.Equal(0, (await peer.ConnectAsync("c")).Code);
        var address = $"/api/v1/devices/{device.Id}";
        using var answer = isDeleted
            ? await platform.Client.DeleteAsync(new Uri(address, UriKind.Relative), TestContext.Current.CancellationToken)
            : await platform.Client.PatchAsync(new Uri(address, UriKind.Relative), new StringContent("""{"status":"disabled"}""", null, "application/json"), TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode);
        var start = TimeProvider.System.GetTimestamp();
        await peer.EndAsync();
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(1));
        await using var again = await platform.OpenAsync(certificate);
        Assert.Equal(0x87, (await again.ConnectAsync("c")).Code);
    }
}
