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

        // And it goes on: a later reading clears it.
        await site.SendAsync(device, """{"temperature":3}""");
        Assert.Equal(raised.GetProperty("id").GetGuid(), Assert.Single(await site.InferencesAsync(device.Id, active: false)).GetProperty("id").GetGuid());
    }
}
