using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Documents;

public sealed class DocumentTests(SharedPlatform platform)
{
    [Fact]
    public async Task A_model_is_put_read_replaced_restored_and_taken_out()
    {
        await using var site = new Site(platform);
        var put = await site.PutModelAsync("t:a t:p 1 .");
        Assert.Equal((201, 1, 1), (put.Status, put.Json.GetProperty("version").GetInt32(), put.Json.GetProperty("facts").GetInt32()));
        var subject = $"urn:test:{site.Mark}:a";
        Assert.Single(await site.FactsAsync(subject));

        var again = await site.PutModelAsync("t:a t:p 1 .");
        Assert.Equal((200, 1), (again.Status, again.Json.GetProperty("version").GetInt32()));
        var second = await site.PutModelAsync("t:a t:p 2, 3 .");
        Assert.Equal((200, 2), (second.Status, second.Json.GetProperty("version").GetInt32()));
        Assert.Equal(2, (await site.FactsAsync(subject)).Count);

        var path = $"/api/v1/model/{site.NameOf("model")}";
        var read = await platform.Client.ReadAsync(path);
        Assert.Equal(("text/turtle", site.Prefixes + "t:a t:p 2, 3 ."), (read.ContentType, read.Text));
        var triples = await platform.Client.ReadAsync(path, "application/n-triples");
        Assert.Equal("application/n-triples", triples.ContentType);
        Assert.Equal((await site.FactsAsync(subject)).Order(StringComparer.Ordinal), triples.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        Assert.EndsWith("t:p 1 .", (await platform.Client.ReadAsync($"{path}?version=1")).Text, StringComparison.Ordinal);

        var restored = await platform.Client.SendAsync(HttpMethod.Post, $"{path}:restore");
        Assert.Equal((200, 1), (restored.Status, restored.Json.GetProperty("version").GetInt32()));
        Assert.Single(await site.FactsAsync(subject));
        var versions = (await platform.Client.ReadAsync($"{path}/versions")).Items;
        Assert.Equal([(2, false), (1, true)], versions.Select(v => (v.GetProperty("version").GetInt32(), v.GetProperty("is_current").GetBoolean())));

        Assert.Equal(200, (await platform.Client.RemoveAsync(path)).Status);
        Assert.Empty(await site.FactsAsync(subject));
        Assert.Equal(404, (await platform.Client.ReadAsync(path)).Status);
        Assert.Equal(404, (await platform.Client.RemoveAsync(path)).Status);
        Assert.Equal(200, (await platform.Client.PostJsonAsync($"{path}:restore", new { version = 2 })).Status);
        Assert.Equal(2, (await site.FactsAsync(subject)).Count);
    }

    [Fact]
    public async Task A_syntax_error_says_where_and_changes_nothing()
    {
        await using var site = new Site(platform);
        await site.PutModelAsync("t:a t:p 1 .");
        var wrong = await site.PutModelAsync("t:a t:p 2 .\nt:a t:p ,");
        Assert.Equal((400, "urn:iot:problem:invalid"), (wrong.Status, wrong.Problem));
        Assert.Equal((site.Prefixes.Count(c => c == '\n') + 2, 9), (wrong.Json.GetProperty("line").GetInt32(), wrong.Json.GetProperty("column").GetInt32()));
        Assert.Contains("\"1\"", Assert.Single(await site.FactsAsync($"urn:test:{site.Mark}:a")), StringComparison.Ordinal);

        var rules = await site.PutRulesAsync("{ ?x t:p ?y } => { ?x t:q } .");
        Assert.Equal(400, rules.Status);
        Assert.True(rules.Json.GetProperty("line").GetInt32() > 1);
    }

    [Fact]
    public async Task A_check_says_what_would_appear_and_vanish_and_changes_nothing()
    {
        await using var site = new Site(platform);
        await site.PutModelAsync("t:a t:p 1 . t:b t:p 2 . t:c t:p 3 .");
        await site.PutRulesAsync("# @name one\n{ ?x t:p ?y . ?y math:lessThan 3 } => { ?x t:is t:Small } .");
        var check = await platform.Client.SendAsync(
            HttpMethod.Post, $"/api/v1/rules:check?name={site.NameOf("rules")}",
            new StringContent(site.Prefixes + "{ ?x t:p ?y . ?y math:greaterThan 1 } => { ?x t:is t:Large } .", Encoding.UTF8, "text/n3"));
        Assert.Equal((200, 2, 2), (check.Status, check.Json.GetProperty("appear").GetInt32(), check.Json.GetProperty("vanish").GetInt32()));
        var more = await platform.Client.SendAsync(
            HttpMethod.Post, "/api/v1/rules:check", new StringContent(site.Prefixes + "{ ?x t:is t:Small } => { ?x t:is t:Cheap } .", Encoding.UTF8, "text/n3"));
        Assert.Equal((2, 0), (more.Json.GetProperty("appear").GetInt32(), more.Json.GetProperty("vanish").GetInt32()));
        Assert.Contains("Small", Assert.Single(await site.FactsAsync($"urn:test:{site.Mark}:a", true)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Viewers_read_and_operators_change()
    {
        await using var site = new Site(platform);
        await site.PutModelAsync("t:a t:p 1 .");
        var viewer = platform.As((await platform.NewKeyAsync("viewer")).Key);
        var path = $"/api/v1/model/{site.NameOf("model")}";
        Assert.Equal(200, (await viewer.ReadAsync(path)).Status);
        Assert.Equal(200, (await viewer.ReadAsync("/api/v1/inferences")).Status);
        foreach (var (method, address) in new[] { (HttpMethod.Put, path), (HttpMethod.Delete, path), (HttpMethod.Post, $"{path}:restore"), (HttpMethod.Post, "/api/v1/rules:check") })
        {
            Assert.Equal(403, (await viewer.SendAsync(method, address, new StringContent(""))).Status);
            Assert.Equal(401, (await platform.Stranger.SendAsync(method, address, new StringContent(""))).Status);
        }
        var op = platform.As((await platform.NewKeyAsync("operator")).Key);
        Assert.Equal(200, (await op.SendAsync(HttpMethod.Put, path, new StringContent("<urn:a> <urn:b> <urn:c> ."))).Status);
        Assert.Equal(400, (await op.SendAsync(HttpMethod.Put, "/api/v1/model/not%20a%20name", new StringContent(""))).Status);
    }

    [Fact]
    public async Task What_is_shipped_holds_when_it_is_put()
    {
        var shipped = (await platform.Client.ReadAsync("/api/v1/rules:shipped")).Items.Select(item => item.GetProperty("name").GetString()!).ToList();
        Assert.Equal(["factory", "owl-rl", "owl-same-as", "rdfs"], shipped.Order(StringComparer.Ordinal));
        Assert.Equal(["factory", "iot"], (await platform.Client.ReadAsync("/api/v1/model:shipped")).Items.Select(item => item.GetProperty("name").GetString()));
        // Each is sound, and none holds by itself.
        foreach (var name in shipped)
        {
            var text = await platform.Client.ReadAsync($"/api/v1/rules:shipped/{name}");
            var check = await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/rules:check", new StringContent(text.Text, Encoding.UTF8, "text/n3"));
            Assert.True(check.Status == 200, $"{name}: {check}");
            Assert.Equal(404, (await platform.Client.ReadAsync($"/api/v1/rules/{name}")).Status);
        }
        Assert.Equal(404, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/rules:shipped/nothing")).Status);
    }
}
