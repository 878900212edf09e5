using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Devices;

public sealed class DeviceRegistryTests(SharedPlatform platform)
{
    private const string Devices = "/api/v1/devices";

    [Fact]
    public async Task A_new_device_gets_a_token_that_is_shown_once_and_stored_hashed()
    {
        var id = Platform.NewId("A.b_c:d");
        var created = await platform.Client.PostJsonAsync(Devices, new { id, name = "Presse 3 °", type = "Machine", location = "hall/a", labels = new { line = "2" } });
        Assert.Equal(201, created.Status);
        Assert.Equal($"{Devices}/{Uri.EscapeDataString(id)}", created.Headers.Location!.OriginalString);
        Assert.Equal(["id", "name", "type", "location", "labels", "status", "created_at", "last_seen_at", "token"], created.Json.EnumerateObject().Select(m => m.Name));
        Assert.Equal("Presse 3 °", created.Json.GetProperty("name").GetString());
        Assert.Equal("2", created.Json.GetProperty("labels").GetProperty("line").GetString());
        Assert.Equal("active", created.Json.GetProperty("status").GetString());
        var token = created.Json.GetProperty("token").GetString()!;

        var read = await platform.Client.ReadAsync(created.Headers.Location.OriginalString);
        Assert.Equal(200, read.Status);
        Assert.False(read.Json.TryGetProperty("token", out _));
        Assert.DoesNotContain(token, (await platform.Client.ReadAsync(Devices + "?search=" + Uri.EscapeDataString(id))).Text, StringComparison.Ordinal);
        Assert.Equal(0, await platform.ScalarAsync<long>("select count(*) from devices where devices::text like '%' || $1 || '%'", token));
        Assert.Equal(1, await platform.ScalarAsync<long>("select count(*) from devices where external_id = $1 and token_hash = sha256(convert_to($2, 'UTF8'))", id, token));
    }

    [Fact]
    public async Task The_id_alone_is_enough_and_an_id_is_given_once()
    {
        var id = Platform.NewId();
        Assert.Equal(201, (await platform.Client.PostJsonAsync(Devices, new { id })).Status);
        var again = await platform.Client.PostJsonAsync(Devices, new { id, name = "another" });
        Assert.Equal((409, "urn:iot:problem:conflict"), (again.Status, again.Problem));
        var known = await platform.Client.ReadAsync($"{Devices}/{id}");
        Assert.Equal(System.Text.Json.JsonValueKind.Null, known.Json.GetProperty("name").ValueKind);
        Assert.Equal("{}", known.Json.GetProperty("labels").GetRawText());
    }

    public static TheoryData<string, string> Invalid => new()
    {
        { """{}""", "id" },
        { """{"id":""}""", "id" },
        { """{"id":"a b"}""", "id" },
        { """{"id":"a\u0000"}""", "id" },
        { $$$"""{"id":"{{{new string('d', 129)}}}"}""", "id" },
        { """{"id":7}""", "id" },
        { $$$"""{"id":"ok","name":"{{{new string('n', 201)}}}"}""", "name" },
        { """{"id":"ok","name":"a\u0000"}""", "name" },
        { """{"id":"ok","type":"a\nb"}""", "type" },
        { """{"id":"ok","location":{}}""", "location" },
        { """{"id":"ok","labels":{"a":1}}""", "labels.a" },
        { """{"id":"ok","labels":{"a":"\u0000"}}""", "labels.a" },
        { """{"id":"ok","labels":{"":"x"}}""", "labels." },
        { """{"id":"ok","labels":[]}""", "labels" },
        { """[]""", "body" },
        { """nonsense""", "body" },
        { "", "body" },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    public async Task What_is_wrong_is_named_by_field(string body, string field)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        var answer = await platform.Client.SendAsync(HttpMethod.Post, Devices, content);
        Assert.True(answer.Status == 400, answer.ToString());
        Assert.Equal("urn:iot:problem:invalid", answer.Problem);
        Assert.Equal([field], answer.Fields);
    }

    [Fact]
    public async Task A_list_is_paged_by_id_and_shows_each_device_once()
    {
        var prefix = Platform.NewId("page");
        for (var i = 0; i < 25; i++)
            await platform.Client.PostJsonAsync(Devices, new { id = $"{prefix}.{i:00}" });

        var all = await platform.Client.ReadAllAsync($"{Devices}?limit=10&search={prefix}.");
        Assert.Equal(Enumerable.Range(0, 25).Select(i => $"{prefix}.{i:00}"), all.Select(d => d.GetProperty("id").GetString()));
        Assert.Equal(10, (await platform.Client.ReadAsync($"{Devices}?limit=10&search={prefix}.")).Items.Count);
        Assert.Null((await platform.Client.ReadAsync($"{Devices}?limit=25&search={prefix}.")).NextCursor);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=-1", "limit")]
    [InlineData("cursor=%20", "cursor")]
    [InlineData("type=%00", "type")]
    [InlineData("location=%00", "location")]
    [InlineData("status=%00", "status")]
    public async Task A_list_has_bounds(string query, string field)
    {
        var answer = await platform.Client.ReadAsync($"{Devices}?{query}");
        Assert.Equal((400, "urn:iot:problem:invalid"), (answer.Status, answer.Problem));
        Assert.Equal([field], answer.Fields);
    }

    [Fact]
    public async Task Search_looks_in_ids_and_names_and_takes_every_character_literally()
    {
        var key = Platform.NewId("Search");
        await platform.Client.PostJsonAsync(Devices, new { id = key, name = $"100% {key}_x\\y" });
        await platform.Client.PostJsonAsync(Devices, new { id = $"{key}b", name = $"1000 {key}-x" });

        Assert.Equal(new[] { key, $"{key}b" }, await FoundAsync(key));
        Assert.Equal(new[] { key, $"{key}b" }, await FoundAsync(key.ToUpperInvariant()));
        Assert.Equal(new[] { key }, await FoundAsync($"100% {key}"));
        Assert.Equal(new[] { key }, await FoundAsync($"{key}_x"));
        Assert.Equal(new[] { key }, await FoundAsync($"{key}_x\\y"));
        Assert.Empty(await FoundAsync($"{key}%b"));
        Assert.Empty(await FoundAsync($"{key}'; drop table devices --"));
        Assert.True((await FoundAsync("")).Length > 0);

        async Task<string[]> FoundAsync(string search) =>
            [.. (await platform.Client.ReadAsync($"{Devices}?search={Uri.EscapeDataString(search)}")).Items.Select(d => d.GetProperty("id").GetString()!)];
    }

    [Fact]
    public async Task A_patch_changes_what_it_names_and_null_takes_away()
    {
        var id = Platform.NewId();
        var path = $"{Devices}/{id}";
        await platform.Client.PostJsonAsync(Devices, new { id, name = "name", type = "type", location = "here", labels = new { a = "1", b = "2" } });

        var one = await platform.Client.PatchJsonAsync(path, """{"name":"new","unknown":1}""");
        Assert.Equal(200, one.Status);
        Assert.Equal(("new", "type", "here"), Texts(one));
        var two = await platform.Client.PatchJsonAsync(path, """{"location":null,"status":"disabled"}""");
        Assert.Equal(("new", "type", null), Texts(two));
        Assert.Equal("disabled", two.Json.GetProperty("status").GetString());
        Assert.Equal(two.Text, (await platform.Client.PatchJsonAsync(path, "{}")).Text);
        Assert.Equal(two.Text, (await platform.Client.ReadAsync(path)).Text);

        var none = await platform.Client.PatchJsonAsync(path, """{"labels":null}""");
        Assert.Equal("{}", none.Json.GetProperty("labels").GetRawText());
        Assert.Equal(400, (await platform.Client.PatchJsonAsync(path, """{"status":"broken"}""")).Status);
        Assert.Equal(400, (await platform.Client.PatchJsonAsync(path, """{"name":1}""")).Status);
        Assert.Equal(400, (await platform.Client.PatchJsonAsync(path, """{"name":"a\u0000"}""")).Status);
        Assert.Equal(404, (await platform.Client.PatchJsonAsync($"{Devices}/{Platform.NewId()}", """{"name":"x"}""")).Status);

        static (string?, string?, string?) Texts(Answer device) =>
            (device.Json.GetProperty("name").GetString(), device.Json.GetProperty("type").GetString(), device.Json.GetProperty("location").GetString());
    }

    [Fact]
    public async Task Labels_are_merged_by_a_patch()
    {
        var id = Platform.NewId();
        await platform.Client.PostJsonAsync(Devices, new { id, labels = new { a = "1", b = "2" } });
        var patched = await platform.Client.PatchJsonAsync($"{Devices}/{id}", """{"labels":{"b":null,"c":"3"}}""");
        Assert.True(patched.Status == 200, patched.ToString());
        Assert.Equal("""{"a":"1","c":"3"}""", patched.Json.GetProperty("labels").GetRawText());
        Assert.Equal(patched.Text, (await platform.Client.PatchJsonAsync($"{Devices}/{id}", """{"labels":{}}""")).Text);

        var many = string.Join(",", Enumerable.Range(0, 63).Select(i => $"\"l{i}\":\"\""));
        Assert.Equal(400, (await platform.Client.PatchJsonAsync($"{Devices}/{id}", """{"labels":{""" + many + "}}")).Status);
        Assert.Equal(patched.Text, (await platform.Client.ReadAsync($"{Devices}/{id}")).Text);
    }

    [Fact]
    public async Task A_deleted_device_is_gone_and_so_is_its_credential()
    {
        var device = await platform.NewDeviceAsync();
        await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""");
        Assert.Equal(204, (await platform.Client.RemoveAsync($"{Devices}/{device.Id}")).Status);

        Assert.Equal((404, "urn:iot:problem:not-found"), Of(await platform.Client.RemoveAsync($"{Devices}/{device.Id}")));
        Assert.Equal((404, "urn:iot:problem:not-found"), Of(await platform.Client.ReadAsync($"{Devices}/{device.Id}")));
        Assert.Equal(404, (await platform.Client.ReadAsync($"{Devices}/{device.Id}/latest")).Status);
        Assert.Equal(404, (await platform.Client.SendAsync(HttpMethod.Post, $"{Devices}/{device.Id}/token")).Status);
        Assert.Equal(401, (await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
        Assert.Equal(201, (await platform.Client.PostJsonAsync(Devices, new { id = device.Id })).Status);

        static (int, string) Of(Answer answer) => (answer.Status, answer.Problem);
    }

    [Fact]
    public async Task A_rotated_token_replaces_the_old_one()
    {
        var device = await platform.NewDeviceAsync();
        var rotated = await platform.Client.SendAsync(HttpMethod.Post, $"{Devices}/{device.Id}/token");
        Assert.Equal(200, rotated.Status);
        var token = rotated.Json.GetProperty("token").GetString()!;
        Assert.NotEqual(device.Token, token);
        Assert.Equal(401, (await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
        Assert.Equal(200, (await platform.As(token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
    }

    [Fact]
    public async Task Last_seen_is_when_the_newest_reading_was_stored()
    {
        var device = await platform.NewDeviceAsync();
        var before = TimeProvider.System.GetUtcNow().AddSeconds(-1);
        await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","timestamp":"2026-01-01T00:00:00Z","payload":{}}""");
        var seen = (await platform.Client.ReadAsync($"{Devices}/{device.Id}")).Json.GetProperty("last_seen_at").GetDateTimeOffset();
        Assert.InRange(seen, before, TimeProvider.System.GetUtcNow().AddSeconds(1));
    }

    [Fact]
    public async Task Roles_allow_reading_then_changing_then_people()
    {
        var device = await platform.NewDeviceAsync();
        var viewer = platform.As((await platform.NewKeyAsync("viewer")).Key);
        var @operator = platform.As((await platform.NewKeyAsync("operator")).Key);
        var path = $"{Devices}/{device.Id}";

        await AllAsync(viewer, read: 200, change: 403, people: 403);
        await AllAsync(platform.As(device.Token), read: 403, change: 403, people: 403);
        await AllAsync(platform.Stranger, read: 401, change: 401, people: 401);
        await AllAsync(platform.As("nonsense"), read: 401, change: 401, people: 401);
        Assert.Equal(200, (await platform.Client.ReadAsync(path)).Status);
        await AllAsync(@operator, read: 200, change: null, people: 403);

        async Task AllAsync(HttpClient client, int read, int? change, int people)
        {
            foreach (var readable in new[] { Devices, path, $"{path}/latest", $"{path}/data" })
                Assert.True((await client.ReadAsync(readable)).Status == read, readable);
            Assert.Equal(change ?? 201, (await client.PostJsonAsync(Devices, new { id = Platform.NewId() })).Status);
            Assert.Equal(change ?? 200, (await client.PatchJsonAsync(path, """{"name":"x"}""")).Status);
            Assert.Equal(change ?? 200, (await client.SendAsync(HttpMethod.Post, $"{path}/token")).Status);
            Assert.Equal(change ?? 204, (await client.RemoveAsync(path)).Status);
            foreach (var secret in new[] { "/api/v1/people", "/api/v1/api-keys" })
                Assert.True((await client.ReadAsync(secret)).Status == people, secret);
            Assert.Equal(people, (await client.PostJsonAsync("/api/v1/api-keys", new { name = Platform.NewId(), role = "admin" })).Status);
        }
    }
}
