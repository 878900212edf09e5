using IoT.Tests.Operations;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Credentials;

/// <summary>A host that starts while the given PostgreSQL is away knows from its mirror whom to let in.</summary>
public sealed class StartWithoutPostgresTests
{
    private const string Reading = """{"data_type":"t","payload":{"x":1}}""";

    [Fact]
    public async Task Who_was_let_in_before_is_let_in_and_nobody_else_and_everything_acknowledged_is_stored_once()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var publishing = await platform.NewDeviceAsync();
        var disabled = await platform.NewDeviceAsync();
        var deleted = await platform.NewDeviceAsync();
        var rotated = await platform.NewDeviceAsync();
        var endedMeanwhile = await platform.NewDeviceAsync();
        var changedMeanwhile = await platform.NewDeviceAsync();
        var enabledAgain = await platform.NewDeviceAsync();
        var bySending = Platform.NewId();
        Assert.Equal(200, (await platform.Client.PatchJsonAsync($"/api/v1/devices/{disabled.Id}", """{"status":"disabled"}""")).Status);
        Assert.Equal(200, (await platform.Client.PatchJsonAsync($"/api/v1/devices/{enabledAgain.Id}", """{"status":"disabled"}""")).Status);
        Assert.Equal(200, (await platform.Client.PatchJsonAsync($"/api/v1/devices/{enabledAgain.Id}", """{"status":"active"}""")).Status);
        Assert.Equal(204, (await platform.Client.RemoveAsync($"/api/v1/devices/{deleted.Id}")).Status);
        var newToken = (await platform.Client.PostJsonAsync($"/api/v1/devices/{rotated.Id}/token", null)).Json.GetProperty("token").GetString()!;
        Assert.Equal(200, (await platform.Client.PostReadingAsync(ReadingOf(bySending))).Status);
        var (adminName, adminKey) = await platform.NewKeyAsync("admin");
        var (_, viewerKey) = await platform.NewKeyAsync("viewer");
        var (removedName, removedKey) = await platform.NewKeyAsync("admin");
        var (endedName, endedKey) = await platform.NewKeyAsync("admin");
        Assert.Equal(204, (await platform.Client.RemoveAsync($"/api/v1/api-keys/{removedName}")).Status);
        await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from devices where external_id = $1", bySending) == 1, "the device's row");
        Assert.Equal(0, await platform.StopAsync());
        await postgres.StopAsync();

        await platform.LaunchAsync();
        await LiveAsync(platform);
        Assert.Equal(503, (await platform.Stranger.ReadAsync("/health/ready")).Status);
        Assert.Single(platform.Output.Split('\n'), line => line.Contains("8 devices, 3 API keys and 1 people are let in", StringComparison.Ordinal));
        Assert.DoesNotContain(ReadyMarker, platform.Output, StringComparison.Ordinal);

        await using var publisher = new Publisher(platform, publishing);
        await publisher.ConnectAsync();
        Assert.Equal(2_000, await publisher.SendAsync(2_000));
        Assert.Equal(2_000, publisher.Acknowledged.Count);
        await using var byMqtt = await MqttUser.ConnectAsync(platform, endedMeanwhile.Id, endedMeanwhile.Token);
        await using var byOldToken = await MqttUser.ConnectAsync(platform, changedMeanwhile.Id, changedMeanwhile.Token);
        await using var byKey = await MqttUser.ConnectAsync(platform, endedName, endedKey);
        await using var byLastingKey = await MqttUser.ConnectAsync(platform, adminName, adminKey);
        Assert.True((await byMqtt.PublishAsync(endedMeanwhile.Topic, Reading)).IsSuccess);
        foreach (var token in new[] { device.Token, newToken, enabledAgain.Token })
            Assert.Equal(200, (await platform.As(token).PostReadingAsync(Reading)).Status);
        Assert.Equal(200, (await platform.As(adminKey).PostReadingAsync(ReadingOf(device.Id))).Status);
        Assert.Equal(200, (await platform.As(adminKey).PostReadingAsync(ReadingOf(bySending))).Status);
        Assert.Contains("components", (await platform.As(viewerKey).ReadAsync("/health/ready")).Text, StringComparison.Ordinal);

        Assert.Equal(403, (await platform.As(disabled.Token).PostReadingAsync(Reading)).Status);
        foreach (var token in new[] { "wrong", deleted.Token, rotated.Token, removedKey })
            Assert.Equal(401, (await platform.As(token).PostReadingAsync(Reading)).Status);
        foreach (var (user, password) in new[] { (device.Id, "wrong"), (device.Id, rotated.Token), (disabled.Id, disabled.Token), (deleted.Id, deleted.Token), (rotated.Id, rotated.Token), (removedName, removedKey) })
            await Assert.ThrowsAsync<MqttRefusedException>(() => MqttUser.ConnectAsync(platform, user, password));
        // Nothing changes before the database is there to change.
        Assert.Equal(503, (await platform.Client.PostJsonAsync($"/api/v1/devices/{device.Id}/token", null)).Status);
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading)).Status);

        await postgres.ChangeAloneAsync($"""
            with a as (delete from devices where external_id in ('{endedMeanwhile.Id}', '{bySending}')),
                 b as (update devices set token_hash = sha256('another') where external_id = '{changedMeanwhile.Id}')
            delete from api_keys where name = '{endedName}'
            """);
        await postgres.StartAsync();
        await platform.ReadyAsync();
        await byMqtt.Disconnected;
        await byOldToken.Disconnected;
        await byKey.Disconnected;
        foreach (var token in new[] { endedMeanwhile.Token, changedMeanwhile.Token, endedKey })
            Assert.Equal(401, (await platform.As(token).PostReadingAsync(Reading)).Status);
        Assert.Equal(200, (await platform.As("another").PostReadingAsync(Reading)).Status);
        Assert.True(byLastingKey.IsConnected);
        Assert.True((await byLastingKey.PublishAsync(device.Topic, Reading)).IsSuccess);

        await publisher.AssertKeptOnceAsync(postgres.ConnectionString);
        var expected = new Dictionary<string, long>
        {
            [publishing.Id] = 2_000, [device.Id] = 4, [rotated.Id] = 1, [enabledAgain.Id] = 1, [disabled.Id] = 0, [changedMeanwhile.Id] = 1,
            // What devices sent before they were deleted is stored, and does not bring them back.
            [endedMeanwhile.Id] = 1, [bySending] = 2,
        };
        await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from device_data") >= expected.Values.Sum(), "all readings");
        foreach (var (id, count) in expected)
            Assert.Equal((id, count), (id, await RowsOfAsync(id)));
        Assert.Equal(0, await Support.Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from devices where external_id in ($1, $2)", endedMeanwhile.Id, bySending));

        Task<long> RowsOfAsync(string id) => Support.Database.ScalarAsync<long>(
            postgres.ConnectionString, "select count(*) from device_data where device_id = $1", IoT.Modules.Storage.Contracts.DeviceUuid.Of(id));
    }

    [Fact]
    public async Task Devices_without_credentials_that_come_meanwhile_are_registered_later_and_those_with_a_token_still_need_it()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString), ("Security__AnonymousDevices", "true"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(0, await platform.StopAsync());
        await postgres.StopAsync();

        await platform.LaunchAsync();
        await LiveAsync(platform);
        Assert.Equal(401, (await platform.Stranger.PostReadingAsync(ReadingOf(device.Id))).Status);
        var (overHttp, overMqtt) = (Platform.NewId(), Platform.NewId());
        Assert.Equal(200, (await platform.Stranger.PostReadingAsync(ReadingOf(overHttp))).Status);
        await using var mqtt = await MqttUser.ConnectAsync(platform, null, null);
        Assert.True((await mqtt.PublishAsync($"devices/{overMqtt}/data", Reading)).IsSuccess);

        await postgres.StartAsync();
        await platform.ReadyAsync();
        foreach (var id in new[] { overHttp, overMqtt })
            await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync($"/api/v1/devices/{id}/latest")).Text.Contains("\"x\"", StringComparison.Ordinal), id);
        Assert.True(mqtt.IsConnected);
    }

    [Fact]
    public async Task A_PostgreSQL_that_does_not_answer_at_all_holds_devices_up_for_seconds_only()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString + ";Timeout=300"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        Assert.Equal(0, await platform.StopAsync());
        await postgres.StopAsync();

        // Takes connections and says nothing.
        var port = new Npgsql.NpgsqlConnectionStringBuilder(postgres.ConnectionString).Port;
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
        silent.Start();
        await platform.LaunchAsync();
        await LiveAsync(platform);
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading)).Status);
        Assert.Equal(0, await platform.StopAsync());
    }

    [Fact]
    public async Task Who_is_signed_in_stays_so()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var jar = Path.GetTempFileName();
        try
        {
            var form = await ClientTool.RunAsync("curl", "-sS", "-c", jar, $"{platform.BaseUrl}/login");
            var token = form.Output.Split("__RequestVerificationToken")[1].Split("value=\"")[1].Split('"')[0];
            Assert.Equal("302", (await ClientTool.RunAsync("curl", "-sS", "-b", jar, "-c", jar, "-o", "/dev/null", "-w", "%{http_code}", $"{platform.BaseUrl}/login",
                "--data-urlencode", "Name=admin", "--data-urlencode", $"Password={Platform.AdminPassword}", "--data-urlencode", $"__RequestVerificationToken={token}")).Output.Trim());
            Assert.Equal(0, await platform.StopAsync());
            await postgres.StopAsync();

            await platform.LaunchAsync();
            await LiveAsync(platform);
            Assert.Equal("503", await StatusAsync());
            File.Delete(MirrorOf(platform));
            Assert.Equal(0, await platform.StopAsync());
            await platform.LaunchAsync();
            await LiveAsync(platform);
            Assert.Equal("401", await StatusAsync());
        }
        finally
        {
            File.Delete(jar);
        }

        async Task<string> StatusAsync() => (await ClientTool.RunAsync("curl", "-sS", "-b", jar, "-o", "/dev/null", "-w", "%{http_code}", $"{platform.BaseUrl}/api/v1/devices")).Output.Trim();
    }

    private const string ReadyMarker = "IoT platform is ready";

    private static string ReadingOf(string id) => $$$"""{"device_id":"{{{id}}}","data_type":"t","payload":{"x":1}}""";

    private static string MirrorOf(Platform platform) => Path.Combine(platform.DataDirectory, "keys", "credentials");

    private static Task LiveAsync(Platform platform) =>
        Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/live")).Status == 200, "the host's life");
}
