using IoT.Tests.Semantics;
using IoT.Tests.Support;
using Microsoft.Playwright;
using Xunit;

namespace IoT.Tests.Pages;

public sealed class InferencePageTests(Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task The_page_shows_what_is_inferred_and_why()
    {
        var platform = browser.Platform;
        await using var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        await site.PutModelAsync($"device:{device.Id} t:limit 30 .");
        await site.PutRulesAsync("# @name overheating\n# @confidence 0.9\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .");
        await site.SendAsync(device, """{"temperature":31.5}""");
        Assert.Equal(400, (await site.PutRulesAsync("{ ?x t:p ?y } => { ?x t:q } .", "broken")).Status);
        foreach (var (width, scheme) in new[] { (1280, ColorScheme.Light), (360, ColorScheme.Dark) })
        {
            await using var visit = await browser.VisitAsync(width, scheme: scheme);
            await visit.SignInAsync();
            await visit.Page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Inferences" }).ClickAsync();
            await Assertions.Expect(visit.Page).ToHaveURLAsync("/inferences", new PageAssertionsToHaveURLOptions { Timeout = 60_000 });
            var row = visit.Page.Locator("#active-inferences tbody tr").Filter(new LocatorFilterOptions { HasText = device.Id });
            await Assertions.Expect(row).ToContainTextAsync("overheating");
            await row.Locator("summary").ClickAsync();
            await Assertions.Expect(row.Locator(".because").First).ToContainTextAsync("31.5");
            var rules = visit.Page.Locator("#documents tbody tr").Filter(new LocatorFilterOptions { HasText = site.NameOf("rules") });
            await Assertions.Expect(rules).ToContainTextAsync("Rules");
            var text = await visit.Page.APIRequest.GetAsync(await rules.Locator("a").GetAttributeAsync("href") ?? "");
            Assert.Equal("text/plain; charset=utf-8", text.Headers["content-type"]);
            Assert.Contains("# @name overheating", await text.TextAsync(), StringComparison.Ordinal);
            var refused = visit.Page.Locator("#refused tbody tr").Filter(new LocatorFilterOptions { HasText = site.NameOf("broken") });
            await Assertions.Expect(refused).ToContainTextAsync("line ");
            var off = visit.Page.Locator("#off tbody tr").Filter(new LocatorFilterOptions { HasText = "/api/v1/rules:shipped/owl-same-as" });
            var shipped = await visit.Page.APIRequest.GetAsync(await off.Locator("a").GetAttributeAsync("href") ?? "");
            Assert.Contains("owl-same-symmetric", await shipped.TextAsync(), StringComparison.Ordinal);
            await visit.PhotographAsync($"inferences-{width}");
            var excess = await visit.Page.EvaluateAsync<int>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            Assert.True(excess <= 0, $"{excess} pixels too wide");
            visit.AssertClean(platform);
        }
        // Put right, it is no longer refused.
        Assert.Equal(201, (await site.PutRulesAsync("{ ?x t:p ?y } => { ?x t:q ?y } .", "broken")).Status);
        await using var again = await browser.VisitAsync(1280);
        await again.SignInAsync();
        await again.Page.GotoAsync("/inferences");
        await Assertions.Expect(again.Page.Locator("#documents")).ToContainTextAsync(site.NameOf("broken"));
        await Assertions.Expect(again.Page.Locator("#refused").Filter(new LocatorFilterOptions { HasText = site.NameOf("broken") })).ToHaveCountAsync(0);
    }
}
