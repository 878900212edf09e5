using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Operations;

public sealed class ReadyBlockTests
{
    [Fact]
    public async Task The_lines_work_when_pasted_and_the_login_is_shown_on_first_start_only()
    {
        await using var platform = new Platform(("Security__AdminPassword", ""), ("Security__AdminApiKey", ""));
        var start = TimeProvider.System.GetTimestamp();
        await platform.StartAsync();
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "The first start took more than 30 s.");

        Assert.Contains(platform.ReadyBlock, line => line.Contains($"{platform.BaseUrl}/", StringComparison.Ordinal) && line.Contains("page", StringComparison.Ordinal));
        Assert.Contains(platform.ReadyBlock, line => line.Contains("mqtt", StringComparison.Ordinal) && line.EndsWith($":{platform.MqttPort}", StringComparison.Ordinal));
        var login = Assert.Single(platform.ReadyBlock, line => line.Contains("admin / ", StringComparison.Ordinal));
        var password = login.Split("admin / ")[1].Split(' ')[0];
        await PasteAsync(platform, expected: 2);
        Assert.Equal(0, await platform.StopAsync());
        Assert.DoesNotContain("mqtt_not_listening", platform.Output, StringComparison.Ordinal);

        start = TimeProvider.System.GetTimestamp();
        await platform.StartAsync();
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(10 * 2), "A further start took more than 20 s on a busy machine; 10 s is the promise.");
        Assert.DoesNotContain(password, platform.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("login", string.Join('\n', platform.ReadyBlock), StringComparison.Ordinal);
        await PasteAsync(platform, expected: 4);
        await SignInAsync(platform, password);
    }

    [Fact]
    public async Task A_password_from_the_settings_is_not_printed()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        Assert.DoesNotContain("login", string.Join('\n', platform.ReadyBlock), StringComparison.Ordinal);
        Assert.DoesNotContain(Platform.AdminPassword, platform.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Platform.AdminKey, platform.Output, StringComparison.Ordinal);
        await SignInAsync(platform, Platform.AdminPassword);
    }

    [Fact]
    public async Task The_lines_work_where_strangers_are_let_in()
    {
        await using var platform = new Platform(("Security__AnonymousDevices", "true"));
        await platform.StartAsync();
        await PasteAsync(platform, expected: 2);
    }

    private static async Task PasteAsync(Platform platform, int expected)
    {
        var curl = await ClientTool.RunAsync("bash", "-c", Assert.Single(platform.ReadyBlock, line => line.TrimStart().StartsWith("curl ", StringComparison.Ordinal)));
        Assert.Equal(0, curl.ExitCode);
        Assert.Equal("""{"accepted":1,"duplicates":0,"rejected":[]}""", curl.Output);
        var mosquitto = await ClientTool.RunAsync("bash", "-c", Assert.Single(platform.ReadyBlock, line => line.TrimStart().StartsWith("mosquitto_pub ", StringComparison.Ordinal)));
        Assert.True(mosquitto.ExitCode == 0, mosquitto.ToString());
        await Eventually.TrueAsync(async () => await platform.StoredAsync("sample") == expected, "what the lines sent, in the database");
    }

    /// <summary>As a browser does it: the form with its anti-forgery token, then the overview with the cookie.</summary>
    private static async Task SignInAsync(Platform platform, string password)
    {
        var jar = Path.GetTempFileName();
        try
        {
            var form = await ClientTool.RunAsync("curl", "-sS", "-c", jar, $"{platform.BaseUrl}/login");
            var token = System.Text.RegularExpressions.Regex.Match(form.Output, "name=\"__RequestVerificationToken\"[^>]*value=\"([^\"]+)\"").Groups[1].Value;
            var signedIn = await ClientTool.RunAsync("curl", "-sS", "-b", jar, "-c", jar, "-o", "/dev/null", "-w", "%{http_code}", $"{platform.BaseUrl}/login",
                "--data-urlencode", "name=admin", "--data-urlencode", $"password={password}", "--data-urlencode", $"__RequestVerificationToken={token}");
            Assert.Equal("302", signedIn.Output);
            var people = await ClientTool.RunAsync("curl", "-sS", "-b", jar, "-o", "/dev/null", "-w", "%{http_code}", $"{platform.BaseUrl}/api/v1/people");
            Assert.Equal("200", people.Output);
        }
        finally
        {
            File.Delete(jar);
        }
    }
}
