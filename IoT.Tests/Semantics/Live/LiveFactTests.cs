using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Live;

public sealed class LiveFactTests(SharedPlatform platform)
{
    private static DateTime Now => TimeProvider.System.GetUtcNow().UtcDateTime;

    [Fact]
    public async Task The_latest_value_of_each_member_is_a_fact_whatever_comes_late_or_sparse()
    {
        await using var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        var at = Now.AddMinutes(-10);
        await site.SendAsync(device, """{"temperature":23.5,"motor":{"rpm":900,"on":true},"mode":"auto"}""", at);
        Assert.Equal(
            ["\"23.5\"^^<http://www.w3.org/2001/XMLSchema#decimal>", "\"900\"^^<http://www.w3.org/2001/XMLSchema#integer>", "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean>", "\"auto\""],
            [await site.ValueAsync(device, "temperature"), await site.ValueAsync(device, "motor.rpm"), await site.ValueAsync(device, "motor.on"), await site.ValueAsync(device, "mode")]);
        // Sparse, under another data_type: it hides nothing and replaces what it has.
        await site.SendAsync(device, """{"temperature":24}""", at.AddSeconds(1), "other");
        Assert.Equal("\"24\"^^<http://www.w3.org/2001/XMLSchema#integer>", await site.ValueAsync(device, "temperature"));
        Assert.NotNull(await site.ValueAsync(device, "mode"));
        // Late: it is older. At the same time: it came later.
        await site.SendAsync(device, """{"temperature":1,"late":1}""", at);
        Assert.Equal("\"24\"^^<http://www.w3.org/2001/XMLSchema#integer>", await site.ValueAsync(device, "temperature"));
        Assert.NotNull(await site.ValueAsync(device, "late"));
        await site.SendAsync(device, """{"temperature":25}""", at.AddSeconds(1));
        Assert.Equal("\"25\"^^<http://www.w3.org/2001/XMLSchema#integer>", await site.ValueAsync(device, "temperature"));
    }

    [Fact]
    public async Task The_registry_is_facts_that_follow_it()
    {
        await using var site = new Site(platform);
        var id = Platform.NewId("x:y");
        var subject = $"<urn:iot:device:{id.Replace(":", "%3A", StringComparison.Ordinal)}>";
        Assert.Equal(201, (await platform.Client.PostJsonAsync("/api/v1/devices", new { id, type = "Machine", location = "Hall A" })).Status);
        const string type = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>";
        Assert.Equal(
            [$"{subject} {type} <urn:iot:vocab:Device> .", $"{subject} {type} <urn:iot:vocab:Machine> .", $"{subject} <urn:iot:vocab:locatedIn> <urn:iot:location:Hall%20A> ."],
            (await site.FactsAsync(id, false)).Order(StringComparer.Ordinal));
        Assert.Equal(200, (await platform.Client.PatchJsonAsync($"/api/v1/devices/{id}", """{"type":"Press","location":"https://example.org/hall"}""")).Status);
        Assert.Equal(
            [$"{subject} {type} <urn:iot:vocab:Device> .", $"{subject} {type} <urn:iot:vocab:Press> .", $"{subject} <urn:iot:vocab:locatedIn> <https://example.org/hall> ."],
            (await site.FactsAsync(id, false)).Order(StringComparer.Ordinal));
        await platform.Client.PostReadingAsync($$$"""{"device_id":"{{{id}}}","data_type":"m","payload":{"v":1}}""");
        Assert.Equal(4, (await site.FactsAsync(id)).Count);
        Assert.Equal(204, (await platform.Client.RemoveAsync($"/api/v1/devices/{id}")).Status);
        Assert.Empty(await site.FactsAsync(id));
        // It comes back, and so does what it said last.
        Assert.Equal(201, (await platform.Client.PostJsonAsync("/api/v1/devices", new { id })).Status);
        Assert.Equal(2, (await site.FactsAsync(id)).Count);
    }

    [Fact]
    public async Task A_reading_raises_and_clears_what_follows_from_it_and_says_why()
    {
        await using var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        await site.PutModelAsync($"device:{device.Id} t:limit 30 .");
        Assert.Equal(201, (await site.PutRulesAsync("# @name overheating\n# @confidence 0.9\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .")).Status);
        await site.SendAsync(device, """{"temperature":29.5}""");
        Assert.Empty(await site.InferencesAsync(device.Id));

        var at = Now;
        await site.SendAsync(device, """{"temperature":31.5}""", at);
        var raised = Assert.Single(await site.InferencesAsync(device.Id, active: true));
        Assert.Equal(
            ($"urn:iot:device:{device.Id}", $"urn:test:{site.Mark}:is", $"urn:test:{site.Mark}:Hot", "overheating", 0.9, true, JsonValueKind.Null),
            (raised.GetProperty("subject").GetString(), raised.GetProperty("predicate").GetString(), raised.GetProperty("object").GetString(),
                raised.GetProperty("rule").GetString(), raised.GetProperty("confidence").GetDouble(), raised.GetProperty("active").GetBoolean(), raised.GetProperty("cleared_at").ValueKind));
        var because = Assert.Single(raised.GetProperty("because").EnumerateArray().ToList());
        Assert.Equal("overheating", because.GetProperty("rule").GetString());
        Assert.Equal(31.5m, because.GetProperty("bindings").EnumerateObject().Single(b => b.Name.TrimStart('?') == "v").Value.GetDecimal());
        var premises = because.GetProperty("premises").EnumerateArray().ToList();
        Assert.Equal(2, premises.Count);
        var reading = premises.Single(p => p.TryGetProperty("reading_id", out _));
        var stored = (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data?limit=1")).Items[0];
        Assert.Equal(
            (stored.GetProperty("id").GetInt64(), stored.GetProperty("timestamp").GetDateTime(), "urn:iot:metric:temperature", 31.5m),
            (reading.GetProperty("reading_id").GetInt64(), reading.GetProperty("timestamp").GetDateTime(), reading.GetProperty("predicate").GetString(), reading.GetProperty("object").GetDecimal()));

        await site.SendAsync(device, """{"temperature":20}""");
        Assert.Empty(await site.InferencesAsync(device.Id, active: true));
        var past = Assert.Single(await site.InferencesAsync(device.Id, active: false));
        Assert.Equal(raised.GetProperty("id").GetGuid(), past.GetProperty("id").GetGuid());
        Assert.True(past.GetProperty("cleared_at").GetDateTime() >= past.GetProperty("raised_at").GetDateTime());
        Assert.Contains("31.5", past.GetProperty("because").GetRawText(), StringComparison.Ordinal);
        Assert.Empty(await site.FactsAsync(device.Id, true));
    }

    [Fact]
    public async Task Derived_is_what_can_be_derived_and_is_not_asserted_too()
    {
        await using var site = new Site(platform);
        await site.PutModelAsync("t:a t:p 1, 2 ; t:q 1 ; t:list (1 2) .");
        await site.PutRulesAsync("@prefix list: <http://www.w3.org/2000/10/swap/list#> .\n{ ?x t:p ?v } => { ?x t:q ?v } . { ?x t:list ?l . ?l list:length ?n } => { ?x t:length ?n } .");
        var (subject, one) = ($"urn:test:{site.Mark}:a", "^^<http://www.w3.org/2001/XMLSchema#integer> .");
        Assert.Equal([$"<{subject}> <urn:test:{site.Mark}:length> \"2\"{one}", $"<{subject}> <urn:test:{site.Mark}:q> \"2\"{one}"], (await site.FactsAsync(subject, true)).Order(StringComparer.Ordinal));
        Assert.Contains($"<{subject}> <urn:test:{site.Mark}:q> \"1\"{one}", await site.FactsAsync(subject, false));
        Assert.Equal(6, (await site.FactsAsync(subject)).Count);
        var because = (await site.InferencesAsync(subject)).Single(found => found.GetProperty("predicate").GetString()!.EndsWith(":length", StringComparison.Ordinal)).GetProperty("because")[0];
        Assert.Equal(5, because.GetProperty("premises").GetArrayLength());
        // No longer asserted, it is derived.
        await site.PutModelAsync("t:a t:p 1, 2 ; t:list (1 2 3) .");
        Assert.Equal(3, (await site.FactsAsync(subject, true)).Count);
        Assert.Contains($"<{subject}> <urn:test:{site.Mark}:length> \"3\"{one}", await site.FactsAsync(subject, true));
    }

    [Fact]
    public async Task A_flapping_reading_raises_and_clears_as_slowly_as_the_rule_says()
    {
        await using var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        await site.PutRulesAsync(
            string.Concat(new[] { ("at-once", ""), ("sustained", "# @for 1h"), ("sticky", "# @clear-after 1h"), ("soon", "# @for 200ms\n# @clear-after 200ms") }.Select((rule, i) =>
                $"# @name {rule.Item1}\n{rule.Item2}\n{{ device:{device.Id} metric:flap ?v . ?v math:greaterThan 5 }} => {{ device:{device.Id} t:is{i} t:High }} .\n")));
        for (var i = 0; i < 6; i++)
        {
            await site.SendAsync(device, $$"""{"flap":{{(i % 2 == 0 ? 6 : 4)}}}""");
            Assert.Equal(i % 2 == 0 ? 1 : 0, (await site.InferencesAsync(device.Id, active: true)).Count(one => one.GetProperty("rule").GetString() == "at-once"));
        }
        var all = (await site.InferencesAsync(device.Id)).ToLookup(one => one.GetProperty("rule").GetString()!);
        Assert.Equal((3, 0, 1), (all["at-once"].Count(), all["sustained"].Count(), all["sticky"].Count()));
        Assert.True(all["sticky"].Single().GetProperty("active").GetBoolean());
        await site.SendAsync(device, """{"flap":7}""");
        await Eventually.TrueAsync(async () => (await site.InferencesAsync(device.Id, active: true)).Any(one => one.GetProperty("rule").GetString() == "soon"), "raised after its delay");
        await site.SendAsync(device, """{"flap":3}""");
        await Eventually.TrueAsync(async () => !(await site.InferencesAsync(device.Id, active: true)).Any(one => one.GetProperty("rule").GetString() == "soon"), "cleared after its delay");
    }

    [Fact]
    public async Task Inferences_come_in_pages_and_by_rule()
    {
        await using var site = new Site(platform);
        await site.PutModelAsync(string.Concat(Enumerable.Range(0, 25).Select(i => $"t:x t:n {i} .\n")));
        await site.PutRulesAsync($"# @name numbered-{site.Mark}\n{{ t:x t:n ?n }} => {{ t:y t:n ?n }} .");
        var all = await platform.Client.ReadAllAsync($"/api/v1/inferences?rule=numbered-{site.Mark}&limit=10");
        Assert.Equal(Enumerable.Range(0, 25), all.Select(i => i.GetProperty("object").GetInt32()).Order());
        Assert.Equal(["cursor", "limit"], (await platform.Client.ReadAsync("/api/v1/inferences?limit=0&cursor=x")).Fields.Order());
    }
}
