using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Credentials;

/// <summary>The mirror of credentials on disk: what is in it, and when it is not to be trusted.</summary>
public sealed class CredentialMirrorTests
{
    private const string Reading = """{"data_type":"t","payload":{"x":1}}""";

    [Fact]
    public async Task The_mirror_is_for_the_hosts_user_only_and_holds_no_token()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var (_, key) = await platform.NewKeyAsync("viewer");
        var latin1 = System.Text.Encoding.Latin1;
        // New devices follow within seconds, without a stop.
        await Eventually.TrueAsync(async () => latin1.GetString(await File.ReadAllBytesAsync(MirrorOf(platform), Cancellation)).Contains(device.Id, StringComparison.Ordinal), "the device in the mirror", TimeSpan.FromSeconds(10));
        var text = latin1.GetString(await File.ReadAllBytesAsync(MirrorOf(platform), Cancellation));
        foreach (var secret in new[] { device.Token, key, Platform.AdminKey, Platform.AdminPassword })
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(MirrorOf(platform)));
    }

    [Fact]
    public async Task A_mirror_that_can_not_be_trusted_is_ignored_with_a_warning()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(0, await platform.StopAsync());
        await postgres.StopAsync();

        var path = MirrorOf(platform);
        var bytes = await File.ReadAllBytesAsync(path, Cancellation);
        var flipped = bytes.ToArray();
        flipped[bytes.Length / 2] ^= 4;
        platform.Set("ConnectionStrings__Postgres", postgres.ConnectionString.Replace("Database=postgres", "Database=other", StringComparison.Ordinal));
        await AssertIgnoredAsync(bytes, "another database");
        platform.Set("ConnectionStrings__Postgres", postgres.ConnectionString);
        await AssertIgnoredAsync(flipped, "A checksum does not fit");
        await AssertIgnoredAsync(bytes[..^7], "ends in the middle");
        await AssertIgnoredAsync("not a mirror"u8.ToArray(), "not such a file");

        // It waits for PostgreSQL, and then mirrors anew.
        await postgres.StartAsync();
        await platform.ReadyAsync();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading)).Status);
        await platform.KillAsync();
        await postgres.StopAsync();
        await platform.LaunchAsync();
        await LiveAsync(platform);
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading)).Status);

        async Task AssertIgnoredAsync(byte[] content, string why)
        {
            await File.WriteAllBytesAsync(path, content, Cancellation);
            await platform.LaunchAsync();
            await LiveAsync(platform);
            Assert.Single(platform.Output.Split('\n'), line => line.Contains(path, StringComparison.Ordinal) && line.Contains("is ignored", StringComparison.Ordinal) && line.Contains(why, StringComparison.Ordinal));
            Assert.Equal(401, (await platform.As(device.Token).PostReadingAsync(Reading)).Status);
        }
    }

    [Fact]
    public async Task A_host_with_its_own_PostgreSQL_keeps_none()
    {
        await using var platform = new Platform();
        Directory.CreateDirectory(Path.GetDirectoryName(MirrorOf(platform))!);
        await File.WriteAllTextAsync(MirrorOf(platform), "left behind", Cancellation);
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(204, (await platform.Client.RemoveAsync($"/api/v1/devices/{device.Id}")).Status);
        Assert.False(File.Exists(MirrorOf(platform)));
    }

    [Fact]
    public async Task What_was_ended_right_before_a_kill_stays_ended()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var rotated = await platform.NewDeviceAsync();
        var disabled = await platform.NewDeviceAsync();
        var deleted = await platform.NewDeviceAsync();
        var lasting = await platform.NewDeviceAsync();
        var (name, key) = await platform.NewKeyAsync("admin");
        // Into the mirror: so that there is something to come alive again.
        Assert.Equal(0, await platform.StopAsync());
        await platform.StartAsync();

        var removed = await platform.Client.RemoveAsync($"/api/v1/api-keys/{name}");
        var disabling = await platform.Client.PatchJsonAsync($"/api/v1/devices/{disabled.Id}", """{"status":"disabled"}""");
        var deletion = await platform.Client.RemoveAsync($"/api/v1/devices/{deleted.Id}");
        var rotation = await platform.Client.PostJsonAsync($"/api/v1/devices/{rotated.Id}/token", null);
        await platform.KillAsync();
        Assert.Equal((204, 200, 204, 200), (removed.Status, disabling.Status, deletion.Status, rotation.Status));
        await postgres.StopAsync();

        await platform.LaunchAsync();
        await LiveAsync(platform);
        Assert.Equal(403, (await platform.As(disabled.Token).PostReadingAsync(Reading)).Status);
        Assert.Equal(401, (await platform.As(deleted.Token).PostReadingAsync(Reading)).Status);
        Assert.Equal(401, (await platform.As(rotated.Token).PostReadingAsync(Reading)).Status);
        Assert.Equal(401, (await platform.As(key).PostReadingAsync(ReadingOf(lasting.Id))).Status);
        Assert.Equal(200, (await platform.As(lasting.Token).PostReadingAsync(Reading)).Status);
        Assert.Equal(200, (await platform.As(rotation.Json.GetProperty("token").GetString()).PostReadingAsync(Reading)).Status);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string ReadingOf(string id) => $$$"""{"device_id":"{{{id}}}","data_type":"t","payload":{"x":1}}""";

    private static string MirrorOf(Platform platform) => Path.Combine(platform.DataDirectory, "keys", "credentials");

    private static Task LiveAsync(Platform platform) =>
        Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/live")).Status == 200, "the host's life");
}
