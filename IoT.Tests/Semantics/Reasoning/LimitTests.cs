using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Reasoning;

/// <summary>A platform of its own, with little room.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task What_is_too_much_is_refused_with_a_reason_and_readings_go_on()
    {
        await using var platform = new Platform(("Semantics__MemoryLimitMb", "16"), ("Semantics__DerivationLimit", "1000"));
        await platform.StartAsync();
        var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        await site.PutModelAsync($"device:{device.Id} t:limit 30 .");
        await site.PutRulesAsync("# @name hot\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .");

        var large = await site.PutModelAsync(string.Concat(Enumerable.Range(0, 150_000).Select(i => $"t:s{i} t:p t:o{i} .\n")), "large");
        Assert.Equal(413, large.Status);
        Assert.Contains("Semantics__MemoryLimitMb", large.Text, StringComparison.Ordinal);
        var endless = await site.PutRulesAsync("{ ?x t:count ?n . (?n 1) math:sum ?m } => { ?x t:count ?m } . t:x t:count 1 .", "endless");
        Assert.Equal(400, endless.Status);
        Assert.Contains("Semantics__DerivationLimit", endless.Text, StringComparison.Ordinal);

        await site.SendAsync(device, """{"temperature":31}""");
        Assert.Single(await site.InferencesAsync(device.Id, active: true));

        // A rule that a reading makes endless: nothing is inferred until it is taken out, and somebody is told.
        Assert.Equal(201, (await site.PutRulesAsync("{ ?x metric:start ?n } => { ?x t:count ?n } . { ?x t:count ?n . (?n 1) math:sum ?m } => { ?x t:count ?m } .", "started")).Status);
        await platform.Client.PostReadingAsync($$$"""{"device_id":"{{{device.Id}}}","data_type":"m","payload":{"start":1}}""");
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/health/ready")).Text.Contains("semantics_stopped", StringComparison.Ordinal), "the alarm");
        Assert.Equal(503, (await platform.Client.ReadAsync("/api/v1/inferences")).Status);
        var page = await platform.Client.ReadAsync("/inferences");
        Assert.Equal(200, page.Status);
        Assert.Contains("Nothing is inferred now", page.Text, StringComparison.Ordinal);
        Assert.All([site.NameOf("started"), site.NameOf("large"), site.NameOf("endless")], name => Assert.Contains(name, page.Text, StringComparison.Ordinal));
        await site.SendAsync(device, """{"temperature":32}""");
        Assert.Equal(200, (await platform.Client.RemoveAsync($"/api/v1/rules/{site.NameOf("started")}")).Status);
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/api/v1/inferences")).Status == 200, "the engine");
        Assert.Contains("32", Assert.Single(await site.InferencesAsync(device.Id, active: true)).GetProperty("because").GetRawText(), StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => !(await platform.Client.ReadAsync("/health/ready")).Text.Contains("semantics_stopped", StringComparison.Ordinal), "the end of the alarm");
    }
}
