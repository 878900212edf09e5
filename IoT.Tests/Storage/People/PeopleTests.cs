using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.People;

public sealed class PeopleTests(SharedPlatform platform)
{
    private const string People = "/api/v1/people";
    private const string Keys = "/api/v1/api-keys";

    [Fact]
    public async Task A_person_is_added_listed_and_taken_out()
    {
        var name = Platform.NewId("person");
        var added = await platform.Client.PostJsonAsync(People, new { name, password = "long enough", role = "viewer" });
        Assert.Equal(201, added.Status);
        Assert.Equal(["name", "role", "created_at"], added.Json.EnumerateObject().Select(m => m.Name));
        Assert.Equal(409, (await platform.Client.PostJsonAsync(People, new { name, password = "long enough", role = "admin" })).Status);

        var listed = Assert.Single((await platform.Client.ReadAsync(People)).Items, p => p.GetProperty("name").GetString() == name);
        Assert.Equal("viewer", listed.GetProperty("role").GetString());
        Assert.Equal(0, await platform.ScalarAsync<long>("select count(*) from people where people::text like '%long enough%'"));
        Assert.Equal(204, (await platform.Client.RemoveAsync($"{People}/{name}")).Status);
        Assert.Equal(404, (await platform.Client.RemoveAsync($"{People}/{name}")).Status);
    }

    [Fact]
    public async Task The_last_admin_stays()
    {
        var answer = await platform.Client.RemoveAsync($"{People}/admin");
        Assert.Equal((409, "urn:iot:problem:conflict"), (answer.Status, answer.Problem));
    }

    [Theory]
    [InlineData("", "long enough", "viewer", "name")]
    [InlineData("a b", "long enough", "viewer", "name")]
    [InlineData("ok", "short", "viewer", "password")]
    [InlineData("ok", "long enough", "king", "role")]
    [InlineData("ok", "long enough", "device", "role")]
    public async Task What_is_wrong_with_a_person_is_named(string name, string password, string role, string field)
    {
        var answer = await platform.Client.PostJsonAsync(People, new { name, password, role });
        Assert.Equal(400, answer.Status);
        Assert.Equal([field], answer.Fields);
    }

    [Fact]
    public async Task A_key_works_until_it_is_removed_and_is_shown_once()
    {
        var (name, key) = await platform.NewKeyAsync("operator");
        Assert.Equal(200, (await platform.As(key).ReadAsync("/api/v1/devices?limit=1")).Status);
        Assert.Equal(409, (await platform.Client.PostJsonAsync(Keys, new { name, role = "viewer" })).Status);
        var list = await platform.Client.ReadAsync(Keys);
        Assert.Contains(list.Items, k => k.GetProperty("name").GetString() == name);
        Assert.DoesNotContain(key, list.Text, StringComparison.Ordinal);

        Assert.Equal(204, (await platform.Client.RemoveAsync($"{Keys}/{name}")).Status);
        Assert.Equal(401, (await platform.As(key).ReadAsync("/api/v1/devices?limit=1")).Status);
        Assert.Equal(404, (await platform.Client.RemoveAsync($"{Keys}/{name}")).Status);
    }

    [Theory]
    [InlineData("admin", "viewer", "name")]
    [InlineData("ok", "god", "role")]
    public async Task What_is_wrong_with_a_key_is_named(string name, string role, string field)
    {
        var answer = await platform.Client.PostJsonAsync(Keys, new { name, role });
        Assert.Equal(400, answer.Status);
        Assert.Equal([field], answer.Fields);
    }
}
