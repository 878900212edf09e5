using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Http;

/// <summary>Who may bring which readings in.</summary>
public sealed class SenderTests(SharedPlatform platform, OpenPlatform open)
{
    [Fact]
    public async Task A_device_writes_for_itself_with_and_without_naming_itself()
    {
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading(device.Id))).Status);
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
        Assert.Equal(2, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task A_device_cannot_write_as_another_one()
    {
        var device = await platform.NewDeviceAsync();
        var other = await platform.NewDeviceAsync();
        var unknown = Platform.NewId();
        var sender = platform.As(device.Token);

        var answer = await sender.PostReadingAsync(Reading(other.Id));
        Assert.Equal((403, "urn:iot:problem:forbidden"), (answer.Status, answer.Problem));
        Assert.Equal(403, (await sender.PostReadingAsync(Reading(unknown))).Status);

        var mixed = await sender.PostReadingAsync($"[{Reading(other.Id)},{Reading(device.Id)}]");
        Assert.Equal((200, 1), (mixed.Status, mixed.Accepted));
        Assert.Equal(0, Assert.Single(mixed.Rejected).Index);
        Assert.Equal(0, await platform.StoredAsync(other.Id));
        Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/devices/{unknown}")).Status);
    }

    [Fact]
    public async Task Without_credentials_nothing_is_taken()
    {
        var device = await platform.NewDeviceAsync();
        var answer = await platform.Stranger.PostReadingAsync(Reading(device.Id));
        Assert.Equal((401, "urn:iot:problem:unauthenticated"), (answer.Status, answer.Problem));
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        Assert.Equal(401, (await platform.Stranger.PostReadingAsync(Reading(Platform.NewId()))).Status);
        Assert.Equal(0, await platform.StoredAsync(device.Id));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    public async Task Wrong_credentials_are_refused_even_where_strangers_are_let_in(string token)
    {
        foreach (var each in new Platform[] { platform, open })
        {
            using var client = each.As(null);
            client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {token}");
            Assert.Equal(401, (await client.PostReadingAsync(Reading(Platform.NewId()))).Status);
        }
    }

    [Fact]
    public async Task An_admin_key_writes_for_any_device_which_is_registered_on_its_first_message()
    {
        var id = Platform.NewId();
        Assert.Equal(200, (await platform.Client.PostReadingAsync(Reading(id))).Status);

        var device = await platform.Client.ReadAsync($"/api/v1/devices/{id}");
        Assert.Equal(200, device.Status);
        Assert.Equal("active", device.Json.GetProperty("status").GetString());
        Assert.Equal(1, await platform.StoredAsync(id));
        var nameless = await platform.Client.PostReadingAsync("""{"data_type":"t","payload":{}}""");
        Assert.Equal(400, nameless.Status);
        Assert.StartsWith("device_id", Assert.Single(nameless.Rejected).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("operator")]
    [InlineData("viewer")]
    public async Task Other_keys_bring_nothing_in(string role)
    {
        var (_, key) = await platform.NewKeyAsync(role);
        var answer = await platform.As(key).PostReadingAsync(Reading(Platform.NewId()));
        Assert.Equal((403, "urn:iot:problem:forbidden"), (answer.Status, answer.Problem));
    }

    [Fact]
    public async Task A_disabled_device_is_refused_until_it_is_enabled_again()
    {
        var device = await platform.NewDeviceAsync();
        await platform.Client.PatchJsonAsync($"/api/v1/devices/{device.Id}", """{"status":"disabled"}""");
        var answer = await platform.As(device.Token).PostReadingAsync(Reading(device.Id));
        Assert.True(answer.Status is 401 or 403, answer.Text);

        await platform.Client.PatchJsonAsync($"/api/v1/devices/{device.Id}", """{"status":"active"}""");
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading(device.Id))).Status);
        Assert.Equal(1, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Where_strangers_are_let_in_a_device_needs_no_token_and_is_registered()
    {
        var id = Platform.NewId();
        Assert.Equal(200, (await open.Stranger.PostReadingAsync(Reading(id))).Status);
        Assert.Equal(200, (await open.Stranger.PostReadingAsync(Reading(id))).Status);
        Assert.Equal(2, await open.StoredAsync(id));
        Assert.Equal(200, (await open.Client.ReadAsync($"/api/v1/devices/{id}")).Status);
    }

    [Fact]
    public async Task A_device_that_has_a_token_always_needs_it()
    {
        var device = await open.NewDeviceAsync();
        Assert.Equal(401, (await open.Stranger.PostReadingAsync(Reading(device.Id))).Status);

        var late = Platform.NewId();
        Assert.Equal(200, (await open.Stranger.PostReadingAsync(Reading(late))).Status);
        Assert.Equal(200, (await open.Client.SendAsync(HttpMethod.Post, $"/api/v1/devices/{late}/token")).Status);
        Assert.Equal(401, (await open.Stranger.PostReadingAsync(Reading(late))).Status);

        var mixed = await open.Stranger.PostReadingAsync($"[{Reading(device.Id)},{Reading(Platform.NewId())}]");
        Assert.Equal((200, 1), (mixed.Status, mixed.Accepted));
        Assert.Equal(0, Assert.Single(mixed.Rejected).Index);
        Assert.Equal(0, await open.StoredAsync(device.Id));
    }

    private static string Reading(string id) => $$$"""{"device_id":"{{{id}}}","data_type":"t","payload":{"x":1}}""";
}
