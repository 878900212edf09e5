using System.Globalization;
using IoT.Tests.Support;
using Microsoft.Playwright;
using Xunit;

namespace IoT.Tests.Pages;

/// <summary>The pages in a real browser; screenshots are kept in artifacts/test/screenshots.</summary>
public sealed class BrowserTests(Browser browser) : IClassFixture<Browser>
{
    private Platform Platform => browser.Platform;

    [Fact]
    public async Task The_overview_moves_while_readings_are_published()
    {
        await using var visit = await browser.VisitAsync();
        await visit.SignInAsync();
        var page = visit.Page;
        await page.Locator("#rate-chart svg").First.WaitForAsync();
        await Assertions.Expect(page.Locator("#components")).ToContainTextAsync("postgresql");
        await Assertions.Expect(page.Locator("#version")).ToHaveTextAsync(IoT.Host.Operations.ReadyMessage.Version);
        var before = await page.Locator("#rate-chart svg").First.InnerHTMLAsync();

        var device = await Platform.NewDeviceAsync("press");
        await using var mqtt = await MqttUser.ConnectAsync(Platform, device.Id, device.Token);
        await Eventually.TrueAsync(async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, 50).Select(n => mqtt.PublishAsync(device.Topic, $$$"""{"data_type":"machine","payload":{"vibration":{{{n}}}}}""")));
            return double.Parse(await page.Locator("#rate").InnerTextAsync(), NumberStyles.Number, CultureInfo.InvariantCulture) > 0
                && await page.Locator("#rate-chart svg").First.InnerHTMLAsync() != before
                && (await page.Locator("#newest").InnerTextAsync()).Contains(device.Id, StringComparison.Ordinal)
                && !(await page.Locator("#devices-online").InnerTextAsync()).StartsWith('0');
        }, "the overview's change", TimeSpan.FromSeconds(90));

        await visit.PhotographAsync("overview");
        visit.AssertClean(Platform);
    }

    [Fact]
    public async Task A_device_is_found_and_shows_its_latest_values_and_a_chart()
    {
        var device = await DeviceWithHistoryAsync();
        await using var visit = await browser.VisitAsync();
        await visit.SignInAsync();
        await visit.OpenAsync($"/devices?search={device.Id}");
        await visit.PhotographAsync("devices");
        await visit.Page.Locator("#devices").GetByText(device.Id).First.ClickAsync();
        await Assertions.Expect(visit.Page).ToHaveURLAsync($"/devices/{device.Id}", new PageAssertionsToHaveURLOptions { Timeout = 60_000 });

        await Assertions.Expect(visit.Page.Locator("#latest")).ToContainTextAsync("temperature");
        await Assertions.Expect(visit.Page.Locator("#latest")).ToContainTextAsync("17.25");
        await visit.Page.Locator("#charts svg").First.WaitForAsync();
        await visit.PhotographAsync("device");

        // It follows what comes in.
        await Platform.As(device.Token).PostReadingAsync("""{"data_type":"climate","payload":{"temperature":99.5}}""");
        await Assertions.Expect(visit.Page.Locator("#latest")).ToContainTextAsync("99.5", new LocatorAssertionsToContainTextOptions { Timeout = 60_000 });
        visit.AssertClean(Platform);
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task A_phone_shows_every_page_without_scrolling_sideways(ColorScheme scheme)
    {
        var device = await DeviceWithHistoryAsync();
        await using var visit = await browser.VisitAsync(360, 740, scheme);
        await visit.OpenAsync("/login");
        await AssertFitsAsync("login");
        await visit.SignInAsync();
        foreach (var (name, path) in new[] { ("overview", "/"), ("devices", "/devices"), ("device", $"/devices/{device.Id}") })
        {
            await visit.OpenAsync(path);
            await AssertFitsAsync(name);
        }
        visit.AssertClean(Platform);

        async Task AssertFitsAsync(string name)
        {
            await visit.PhotographAsync($"phone-{name}-{scheme}".ToLowerInvariant());
            var excess = await visit.Page.EvaluateAsync<int>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            Assert.True(excess <= 0, $"{name} is {excess} pixels too wide");
        }
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Pages_follow_the_scheme_and_can_be_read(ColorScheme scheme)
    {
        var device = await DeviceWithHistoryAsync();
        await using var visit = await browser.VisitAsync(scheme: scheme);
        await visit.SignInAsync();
        foreach (var (name, path) in new[] { ("overview", "/"), ("devices", "/devices"), ("device", $"/devices/{device.Id}") })
        {
            await visit.OpenAsync(path);
            await visit.PhotographAsync($"{name}-{scheme}".ToLowerInvariant());
            var brightness = await visit.Page.EvaluateAsync<double>(Script + "luminance(backgroundOf(document.body))");
            Assert.True(scheme == ColorScheme.Dark ? brightness < 0.2 : brightness > 0.7, $"{name} in {scheme}: {brightness}");
            Assert.Empty(await visit.Page.EvaluateAsync<string[]>(Script + "unreadable()"));
            Assert.Empty(await visit.Page.EvaluateAsync<string[]>(Script + "nameless()"));
        }
    }

    [Fact]
    public async Task Without_JavaScript_everything_but_the_refresh_works()
    {
        var device = await DeviceWithHistoryAsync();
        await using var visit = await browser.VisitAsync(javaScript: false);
        await visit.SignInAsync();
        await Assertions.Expect(visit.Page.Locator("#newest")).ToContainTextAsync("press");
        await visit.Page.Locator("#rate-chart svg").First.WaitForAsync();
        await visit.OpenAsync($"/devices?search={device.Id}");
        await visit.Page.Locator("#devices").GetByText(device.Id).First.ClickAsync();
        await Assertions.Expect(visit.Page.Locator("#latest")).ToContainTextAsync("17.25");
        await visit.Page.Locator("#charts svg").First.WaitForAsync();
        await visit.PhotographAsync("device-without-javascript");

        await visit.Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Sign out" }).ClickAsync();
        await visit.Page.GotoAsync("/devices");
        Assert.Contains("/login", visit.Page.Url, StringComparison.Ordinal);
        visit.AssertClean(Platform);
    }

    [Fact]
    public async Task A_wrong_password_is_told_and_lets_nobody_in()
    {
        await using var visit = await browser.VisitAsync();
        await visit.SignInAsync(password: "not the password");
        await visit.Page.GetByRole(AriaRole.Alert).WaitForAsync();
        await visit.Page.GotoAsync("/devices");
        Assert.Contains("/login", visit.Page.Url, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_api_can_be_browsed_without_another_host()
    {
        await using var visit = await browser.VisitAsync();
        await visit.SignInAsync();
        await visit.OpenAsync("/docs");
        try
        {
            // The description's own words, and a group of routes: the document has been read.
            await visit.Page.GetByText("Errors are RFC 9457").First.WaitForAsync();
            await visit.Page.GetByText("API keys").First.WaitForAsync();
        }
        finally
        {
            await visit.PhotographAsync("docs");
            visit.AssertClean(Platform);
        }
    }

    private async Task<TestDevice> DeviceWithHistoryAsync()
    {
        var device = await Platform.NewDeviceAsync("press");
        var now = TimeProvider.System.GetUtcNow();
        var readings = Enumerable.Range(0, 120).Select(i =>
            $$$"""{"data_type":"climate","timestamp":"{{{now.AddMinutes(-i).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}}}","payload":{"temperature":{{{(17.25 + i % 30).ToString(CultureInfo.InvariantCulture)}}},"humidity":{{{40 + i % 7}}},"a_member_with_quite_a_long_name":{"inside":1} } }""");
        Assert.Equal(120, (await Platform.As(device.Token).PostReadingAsync(string.Join("\n", readings), "application/x-ndjson")).Accepted);
        return device;
    }

    /// <summary>Contrast by WCAG 2 (4.5, or 3 for large text) of visible text, and controls without an accessible name.</summary>
    private const string Script = """
        const parse = (css) => { const c = css.match(/[\d.]+/g).map(Number); return css.startsWith('color(srgb') ? [c[0] * 255, c[1] * 255, c[2] * 255, c[3] ?? 1] : [c[0], c[1], c[2], c[3] ?? 1]; };
        const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
        const backgroundOf = (element) => {
          const layers = [];
          for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
          return layers.reverse().reduce((below, top) => over(top, below), matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18, 1] : [255, 255, 255, 1]);
        };
        const luminance = (c) => { const l = c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
        const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
        const unreadable = () => [...document.querySelectorAll('body *')].filter((e) => !e.closest('svg')
            && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.checkVisibility() && e.getBoundingClientRect().width > 1)
          .filter((e) => { const s = getComputedStyle(e); const size = parseFloat(s.fontSize); const large = size >= 24 || (size >= 18.66 && s.fontWeight >= 700);
            const below = backgroundOf(e); return contrast(over(parse(s.color), below), below) < (large ? 3 : 4.5); })
          .map((e) => `${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 40)}`);
        const nameless = () => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, img:not([alt]), svg[role=img]')]
          .filter((e) => !(e.ariaLabel || e.getAttribute('aria-labelledby') || e.labels?.length || e.textContent.trim() || e.querySelector('title, img[alt]')))
          .map((e) => e.outerHTML.slice(0, 80));
        """;
}
