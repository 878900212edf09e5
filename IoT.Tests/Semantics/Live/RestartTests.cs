using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Live;

/// <summary>A platform of its own, which is stopped and killed.</summary>
public sealed class RestartTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Facts_and_inferences_are_the_same_after_a_restart_and_after_a_kill(bool isKilled)
    {
        await using var platform = new Platform(("Semantics__LatestValuesSeconds", "1"));
        await platform.StartAsync();
        var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        await site.PutModelAsync($"device:{device.Id} t:limit 30 .");
        await site.PutRulesAsync("# @name hot\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .");
        var at = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1);
        await site.SendAsync(device, """{"temperature":31.50,"big":1e3,"mode":"auto","motor":{"on":true}}""", at);
        // Written down by now, at least once; what comes after is not, when it is killed.
        await Eventually.TrueAsync(() => platform.ScalarAsync<bool>("select (select reading_id from latest_value_state) > 0 and (select count(*) from latest_values) = 4"), "latest values in the database");
        await site.SendAsync(device, """{"other":7}""", at.AddSeconds(1));
        await site.SendAsync(device, """{"temperature":1,"mode":"manual"}""", at.AddSeconds(-1));
        var raised = Assert.Single(await site.InferencesAsync(device.Id));
        // One that is about to be cleared, and one that waits to be raised.
        var flapping = await platform.NewDeviceAsync();
        await site.PutRulesAsync(
            "# @name lasting\n# @clear-after 1h\n{ ?d metric:pressure ?v . ?v math:greaterThan 5 } => { ?d t:is t:Tight } .\n# @name slow\n# @for 1h\n{ ?d metric:level ?v } => { ?d t:is t:Full } .", "delays");
        await site.SendAsync(flapping, """{"pressure":6,"level":1}""", at);
        var lasting = Assert.Single(await site.InferencesAsync(flapping.Id));
        await site.SendAsync(flapping, """{"pressure":4}""", at.AddSeconds(1));
        Assert.DoesNotContain(await site.FactsAsync(flapping.Id, true), line => line.Contains("Tight", StringComparison.Ordinal));
        var facts = (await site.FactsAsync(device.Id)).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(8, facts.Count);

        if (isKilled)
            await platform.KillAsync();
        else
            Assert.Equal(0, await platform.StopAsync());
        await platform.StartAsync();
        await Eventually.TrueAsync(async () => (await platform.Client.ReadAsync("/api/v1/facts")).Status == 200, "the engine");
        Assert.Equal(facts, (await site.FactsAsync(device.Id)).Order(StringComparer.Ordinal));
        var after = Assert.Single(await site.InferencesAsync(device.Id));
        Assert.Equal(
            (raised.GetProperty("id").GetGuid(), raised.GetProperty("raised_at").GetDateTime(), raised.GetProperty("because").GetRawText()),
            (after.GetProperty("id").GetGuid(), after.GetProperty("raised_at").GetDateTime(), after.GetProperty("because").GetRawText()));

        var still = Assert.Single(await site.InferencesAsync(flapping.Id));
        Assert.Equal((lasting.GetProperty("id").GetGuid(), true), (still.GetProperty("id").GetGuid(), still.GetProperty("active").GetBoolean()));
        // And it goes on: a later reading clears it.
        await site.SendAsync(device, """{"temperature":3}""");
        Assert.Equal(raised.GetProperty("id").GetGuid(), Assert.Single(await site.InferencesAsync(device.Id, active: false)).GetProperty("id").GetGuid());
    }
}
