using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Reasoning;

/// <summary>A platform of its own, whose engine is set otherwise than by default.</summary>
public sealed class SettingsTests
{
    [Fact]
    public async Task Confidences_are_multiplied_and_nothing_is_compiled_followed_or_kept()
    {
        await using var platform = new Platform(
            ("Semantics__ConfidenceByProduct", "true"), ("Semantics__RuleCompilationEnabled", "false"), ("Semantics__IncrementalReasoning", "false"),
            ("Semantics__ParallelInferenceThreshold", "1"), ("Semantics__CacheSize", "0"), ("Semantics__KeptVersions", "2"));
        await platform.StartAsync();
        var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        for (var version = 1; version <= 3; version++)
            await site.PutModelAsync($"device:{device.Id} t:limit {30 + version} .");
        Assert.Equal([3, 2], (await platform.Client.ReadAsync($"/api/v1/model/{site.NameOf("model")}/versions")).Items.Select(one => one.GetProperty("version").GetInt32()));
        await site.PutRulesAsync(
            "# @confidence 0.5\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .\n# @confidence 0.8\n{ ?d t:is t:Hot } => { ?d t:needs t:Cooling } .");
        await site.SendAsync(device, """{"temperature":40}""");
        for (var i = 0; i < 2; i++)
        {
            var answer = (await platform.Client.PostJsonAsync("/api/v1/infer", new { query_type = "semantic_inference", entities = new[] { new { type = "Device", id = device.Id } } })).Json;
            Assert.Equal([0.5, 0.4], Confidences(answer.GetProperty("inferences").EnumerateArray()));
            Assert.Equal((0.45, false), (answer.GetProperty("confidence_score").GetDouble(), answer.GetProperty("cached").GetBoolean()));
        }
        await site.SendAsync(device, """{"temperature":20}""");
        Assert.Empty(await site.InferencesAsync(device.Id, active: true));
        await site.SendAsync(device, """{"temperature":41}""");
        Assert.Equal([0.5, 0.4], Confidences(await site.InferencesAsync(device.Id, active: true)));

        // Of what was received so far no profile maps anything; then one maps one of two members.
        Assert.Equal((3, 0, 0.0), await ConversionAsync());
        Assert.Equal(201, (await platform.Client.PostJsonAsync("/api/v1/devices", new { id = "press", type = "Press" })).Status);
        await site.PutModelAsync("iot:Press iot:maps [ iot:member \"temperature\" ; <http://www.w3.org/ns/sosa/observedProperty> t:Temperature ] .", "profile");
        Assert.Equal(200, (await platform.Client.PostReadingAsync("""{"device_id":"press","data_type":"m","payload":{"temperature":20,"other":1}}""")).Status);
        await site.FactsAsync("press");
        Assert.Equal((5, 1, 0.2), await ConversionAsync());
        Assert.Matches("(?m)^iot_semantics_conversion_rate[^ ]* 0\\.2 ", (await platform.Client.ReadAsync("/metrics")).Text.Replace("\n", " \n", StringComparison.Ordinal));

        async Task<(int, int, double)> ConversionAsync() => (await platform.Client.ReadAsync("/api/v1/conversion")).Json is var found
            ? (found.GetProperty("received").GetInt32(), found.GetProperty("converted").GetInt32(), found.GetProperty("rate").GetDouble())
            : default;

        static IEnumerable<double> Confidences(IEnumerable<JsonElement> inferences) => inferences.Select(one => one.GetProperty("confidence").GetDouble()).OrderDescending();
    }
}
