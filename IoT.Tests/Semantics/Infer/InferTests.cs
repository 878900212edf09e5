using System.Globalization;
using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Infer;

public sealed class InferTests(SharedPlatform platform)
{
    private const string Hot = "# @name hot\n# @confidence 0.8\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .\n";

    [Fact]
    public async Task What_follows_about_entities_is_answered_with_why_and_kept_until_it_changes()
    {
        await using var site = new Site(platform);
        var (device, other) = (await platform.NewDeviceAsync(), await platform.NewDeviceAsync());
        await site.PutModelAsync($"device:{device.Id} t:limit 30 . device:{other.Id} t:limit 30 .");
        await site.PutRulesAsync(Hot);
        await site.SendAsync(device, """{"temperature":31}""");
        var answer = await InferAsync(device.Id);
        var inference = Assert.Single(answer.GetProperty("inferences").EnumerateArray().ToList());
        Assert.Equal(("hot", 0.8, 0.8, false), (inference.GetProperty("rule").GetString(), inference.GetProperty("confidence").GetDouble(), answer.GetProperty("confidence_score").GetDouble(), answer.GetProperty("cached").GetBoolean()));
        Assert.Contains("reading_id", inference.GetProperty("because").GetRawText(), StringComparison.Ordinal);

        Assert.True((await InferAsync(device.Id)).GetProperty("cached").GetBoolean());
        // Of another device: nothing that the answer was made of.
        await site.SendAsync(other, """{"temperature":10}""");
        Assert.True((await InferAsync(device.Id)).GetProperty("cached").GetBoolean());
        await site.SendAsync(device, """{"temperature":32}""");
        var fresh = await InferAsync(device.Id);
        Assert.False(fresh.GetProperty("cached").GetBoolean());
        Assert.Contains("32", fresh.GetProperty("inferences").GetRawText(), StringComparison.Ordinal);
        await site.SendAsync(device, """{"temperature":3}""");
        var none = await InferAsync(device.Id);
        Assert.Equal((0, 0.0), (none.GetProperty("inferences").GetArrayLength(), none.GetProperty("confidence_score").GetDouble()));
        Assert.True(none.GetProperty("processing_time_ms").GetDouble() >= 0);
    }

    [Fact]
    public async Task The_score_of_an_answer_is_the_mean_of_its_inferences_and_a_change_of_documents_makes_it_anew()
    {
        await using var site = new Site(platform);
        var entity = new { type = "Machine", id = $"m:{site.Mark}" };
        var question = new { query_type = "semantic_inference", entities = new[] { entity } };
        await site.PutModelAsync($"<urn:iot:machine:m%3A{site.Mark}> t:a 1 ; t:b 2 .");
        await site.PutRulesAsync("# @confidence 0.9\n{ ?x t:a ?v } => { ?x t:p ?v } .\n# @confidence 0.5\n{ ?x t:b ?v } => { ?x t:q ?v } .\n# @confidence 0.8\n{ ?x t:q ?v } => { ?x t:r ?v } .");
        var answer = await AskAsync(question);
        Assert.Equal([("p", 0.9), ("q", 0.5), ("r", 0.5)], answer.GetProperty("inferences").EnumerateArray().Select(one => (one.GetProperty("predicate").GetString()!.Split(':')[^1], one.GetProperty("confidence").GetDouble())));
        Assert.Equal((0.9 + 0.5 + 0.5) / 3, answer.GetProperty("confidence_score").GetDouble(), 12);
        Assert.True((await AskAsync(question)).GetProperty("cached").GetBoolean());

        await site.PutModelAsync($"<urn:iot:machine:m%3A{site.Mark}> t:a 1 .");
        var less = await AskAsync(question);
        Assert.Equal((false, 1, 0.9), (less.GetProperty("cached").GetBoolean(), less.GetProperty("inferences").GetArrayLength(), less.GetProperty("confidence_score").GetDouble()));
        await site.PutRulesAsync("# @confidence 0.6\n{ ?x t:a ?v } => { ?x t:p ?v } .");
        Assert.Equal(0.6, (await AskAsync(question)).GetProperty("confidence_score").GetDouble());
    }

    [Fact]
    public async Task A_location_holds_what_is_in_what_is_in_it()
    {
        await using var site = new Site(platform);
        var ids = new[] { Platform.NewId("in"), Platform.NewId("out") };
        foreach (var (id, room) in ids.Zip([$"{site.Mark}-room", $"{site.Mark}-elsewhere"]))
        {
            Assert.Equal(201, (await platform.Client.PostJsonAsync("/api/v1/devices", new { id, location = room })).Status);
            await platform.Client.PostReadingAsync($$$"""{"device_id":"{{{id}}}","data_type":"m","payload":{"temperature":40}}""");
        }
        await site.PutModelAsync($"device:{ids[0]} t:limit 30 . device:{ids[1]} t:limit 30 . loc:{site.Mark}-room iot:locatedIn loc:{site.Mark}-floor . loc:{site.Mark}-floor iot:locatedIn loc:{site.Mark}-house .");
        await site.PutRulesAsync(Hot);
        foreach (var location in new[] { "room", "floor", "house" })
        {
            var found = await AskAsync(new { query_type = "semantic_inference", entities = Array.Empty<object>(), context = new { location = $"{site.Mark}-{location}" } });
            Assert.Equal([$"urn:iot:device:{ids[0]}"], found.GetProperty("inferences").EnumerateArray().Select(i => i.GetProperty("subject").GetString()));
        }
        var within = await AskAsync(new { query_type = "semantic_inference", entities = ids.Select(id => new { type = "Device", id }), context = new { location = $"{site.Mark}-house" } });
        Assert.Single(within.GetProperty("inferences").EnumerateArray());
    }

    [Fact]
    public async Task Over_a_time_the_readings_of_that_time_count_and_nothing_shared_is_touched()
    {
        await using var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(-2);
        await site.PutModelAsync($"device:{device.Id} t:limit 30 .");
        await site.PutRulesAsync(Hot +
            """
            @prefix avg: <urn:iot:avg:> .
            @prefix max: <urn:iot:max:> .
            @prefix min: <urn:iot:min:> .
            @prefix count: <urn:iot:count:> .
            # @name summed
            { ?d t:limit ?most ; avg:temperature ?a ; min:temperature ?i ; max:temperature ?x ; count:temperature ?n } => { ?d t:avg ?a ; t:min ?i ; t:max ?x ; t:count ?n } .
            """);
        foreach (var (hour, value) in new[] { (1, 20.5), (2, 45), (3, 33) })
            await site.SendAsync(device, $$"""{"temperature":{{value.ToString(CultureInfo.InvariantCulture)}}}""", day.AddHours(hour));
        await site.SendAsync(device, """{"temperature":10}""", day.AddHours(30));
        var before = await site.FactsAsync(device.Id);

        var then = await OverAsync(day, day.AddHours(4));
        Assert.Equal(
            [("avg", 32.833333333333m), ("count", 3m), ("max", 45m), ("min", 20.5m)],
            then.Where(i => i.GetProperty("rule").GetString() == "summed").Select(i => (i.GetProperty("predicate").GetString()!.Split(':')[^1], i.GetProperty("object").GetDecimal())));
        var hot = then.Single(i => i.GetProperty("rule").GetString() == "hot");
        var reading = hot.GetProperty("because")[0].GetProperty("premises").EnumerateArray().Single(p => p.TryGetProperty("reading_id", out _));
        Assert.Equal((33m, day.AddHours(3)), (reading.GetProperty("object").GetDecimal(), reading.GetProperty("timestamp").GetDateTime()));
        Assert.DoesNotContain(await OverAsync(day, day.AddHours(1.5)), i => i.GetProperty("rule").GetString() == "hot");
        Assert.Empty(await OverAsync(day.AddHours(10), day.AddHours(20)));
        Assert.Equal(before, await site.FactsAsync(device.Id));

        // Others change the registry meanwhile, which such an answer depends on.
        await Eventually.TrueAsync(async () => (await AnswerOverAsync(day, day.AddHours(4))).GetProperty("cached").GetBoolean(), "a kept answer");
        // Late, and of that time.
        await site.SendAsync(device, """{"temperature":50}""", day.AddHours(3.5));
        var later = await AnswerOverAsync(day, day.AddHours(4));
        Assert.False(later.GetProperty("cached").GetBoolean());
        Assert.Contains("50", later.GetProperty("inferences").GetRawText(), StringComparison.Ordinal);

        Task<JsonElement> AnswerOverAsync(DateTime start, DateTime end) =>
            AskAsync(new { query_type = "semantic_inference", entities = new[] { new { type = "Device", id = device.Id } }, context = new { time_range = new { start, end } } });

        async Task<List<JsonElement>> OverAsync(DateTime start, DateTime end) => [.. (await AnswerOverAsync(start, end)).GetProperty("inferences").EnumerateArray()];
    }

    [Fact]
    public async Task Bad_questions_name_what_is_wrong()
    {
        var wrong = await platform.Client.PostJsonAsync("/api/v1/infer", new { query_type = "other", entities = new object[] { new { type = "Sensor" }, new { id = "x" } }, context = new { time_range = new { start = "2026-01-02T00:00:00Z", end = "2026-01-01T00:00:00Z" } } });
        Assert.Equal((400, "context.time_range entities[0].id entities[1].type query_type"), (wrong.Status, string.Join(' ', wrong.Fields.Order(StringComparer.Ordinal))));
        Assert.Equal(400, (await platform.Client.PostJsonAsync("/api/v1/infer", new { query_type = "semantic_inference", entities = Array.Empty<object>() })).Status);
        Assert.Equal(401, (await platform.Stranger.PostJsonAsync("/api/v1/infer", new { })).Status);
    }

    private Task<JsonElement> InferAsync(string device) => AskAsync(new { query_type = "semantic_inference", entities = new[] { new { type = "Device", id = device } } });

    private async Task<JsonElement> AskAsync(object question)
    {
        var answer = await platform.Client.PostJsonAsync("/api/v1/infer", question);
        Assert.True(answer.Status == 200, answer.ToString());
        return answer.Json;
    }
}
