using System.Globalization;
using System.Net;
using System.Net.Sockets;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Settings;

public sealed class WrongSettingsTests
{
    /// <summary>A key, a wrong value, whether the value may be shown, and a word of what is allowed.</summary>
    public static TheoryData<string, string, bool, string> Wrong => new()
    {
        { "Listen__Http", "70000", true, "65535" },
        { "Listen__Mqtt", "-1", true, "65535" },
        { "Listen__Http", "abc", true, "number" },
        { "Listen__Http", "80.5", true, "number" },
        { "Listen__Address", "somewhere", true, "address" },
        { "Security__AnonymousDevices", "yes", true, "true or false" },
        { "Security__AnonymousTopics", "2", true, "true or false" },
        { "Security__AdminApiKey", "short", false, "16" },
        { "Security__AdminPassword", "short", false, "8" },
        { "Gateway__MaxBatchReadings", "0", true, "1000000" },
        { "Gateway__MqttMaxInFlight", "100000", true, "65535" },
        { "Storage__PartitionsAhead", "99", true, "24" },
        { "Logging__Level", "loud", true, "warning" },
        { "Logging__Format", "xml", true, "json" },
        { "ConnectionStrings__Postgres", "nonsense", false, "ConnectionStrings__Postgres" },
        { "ConnectionStrings__Postgres", "Host=localhost;Colour=red", false, "ConnectionStrings__Postgres" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_wrong_value_stops_the_start_with_one_line(string key, string value, bool isShown, string allowed)
    {
        await using var platform = new Platform((key, value));
        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());

        var line = Assert.Single(platform.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(key, line, StringComparison.Ordinal);
        if (isShown)
            Assert.Contains($"{key}={value}", line, StringComparison.Ordinal);
        Assert.Contains(allowed, line, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", platform.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(platform.DataDirectory, "postgres")), "PostgreSQL was started before the settings were read.");
    }

    [Fact]
    public async Task All_that_is_wrong_is_said_at_once()
    {
        await using var platform = new Platform(("Listen__Http", "70000"), ("Listen__Mqtt", "abc"));
        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());
        Assert.Contains("Listen__Http=70000", platform.Errors, StringComparison.Ordinal);
        Assert.Contains("Listen__Mqtt=abc", platform.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Listen__Http")]
    [InlineData("Listen__Mqtt")]
    public async Task A_port_in_use_is_named(string key)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        await using var platform = new Platform((key, port));
        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());

        var line = Assert.Single(platform.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(port, line, StringComparison.Ordinal);
        Assert.Contains("in use", line, StringComparison.Ordinal);
        Assert.Contains($"Set {key} to a free port", line, StringComparison.Ordinal);
        Assert.Empty(platform.PostgresProcesses());
    }
}
