using IoT.Host.Settings;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace IoT.Tests.Settings;

public sealed class EnvironmentSettingsTests
{
    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    public void A_blank_variable_is_a_setting_left_out(string blank)
    {
        var section = $"T{Guid.NewGuid():N}";
        Environment.SetEnvironmentVariable($"{section}__AdminPassword", blank);
        Environment.SetEnvironmentVariable($"{section}__AnonymousDevices", blank);
        Environment.SetEnvironmentVariable($"{section}__AnonymousTopics", "true");
        using var configuration = new ConfigurationManager();
        configuration.AddEnvironmentVariables();
        configuration.IgnoreBlankVariables();

        var security = configuration.GetSection(section).Get<SecurityOptions>();

        Assert.NotNull(security);
        Assert.Null(security.AdminPassword);
        Assert.False(security.AnonymousDevices);
        Assert.True(security.AnonymousTopics);
    }

    [Fact]
    public void A_blank_variable_does_not_hide_what_the_file_says()
    {
        var section = $"T{Guid.NewGuid():N}";
        Environment.SetEnvironmentVariable($"{section}__Http", "");
        using var configuration = new ConfigurationManager();
        configuration.AddInMemoryCollection([new($"{section}:Http", "9090")]);
        configuration.AddEnvironmentVariables();
        configuration.IgnoreBlankVariables();

        Assert.Equal("9090", configuration[$"{section}:Http"]);
    }

    [Fact]
    public void A_blank_password_given_elsewhere_is_refused()
    {
        var configuration = new ConfigurationBuilder().AddCommandLine(["--Security:AdminPassword="]).Build();

        var failure = Assert.Throws<StartupException>(() => SettingsCheck.ThrowIfWrong(configuration));

        Assert.Contains("Security__AdminPassword", failure.Message, StringComparison.Ordinal);
    }
}
