using IoT.Tests.Support;
using Microsoft.Playwright;
using Xunit;

namespace IoT.Tests.Pages;

public sealed class StoragePageTests(Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task The_storage_page_shows_partitions_settings_and_what_has_gone()
    {
        var platform = browser.Platform;
        Assert.Equal(200, (await platform.Client.PostReadingAsync("""{"device_id":"press-1","data_type":"machine","payload":{"value":1}}""")).Status);
        await platform.StoredAsync("press-1");
        await platform.ScalarAsync<long>(
            """
            insert into storage_events (kind, table_name, partition, range_from, range_to, rows, bytes, cause, reason)
            values ('dropped', 'device_data', 'device_data_y2020m01', '2020-01-01Z', '2020-02-01Z', 12345, 6789000, 'age', 'older than 1826 days (Storage__RetentionDays)') returning id
            """);
        foreach (var (width, scheme) in new[] { (1280, ColorScheme.Light), (360, ColorScheme.Dark) })
        {
            await using var visit = await browser.VisitAsync(width, scheme: scheme);
            await visit.SignInAsync();
            await visit.Page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Storage" }).ClickAsync();
            await Assertions.Expect(visit.Page).ToHaveURLAsync("/storage", new PageAssertionsToHaveURLOptions { Timeout = 60_000 });
            await Assertions.Expect(visit.Page.Locator("#partitions tbody tr")).ToHaveCountAsync(4);
            await Assertions.Expect(visit.Page.Locator("#partitions")).ToContainTextAsync("current");
            await Assertions.Expect(visit.Page.Locator("#retention")).ToContainTextAsync("1,826");
            await Assertions.Expect(visit.Page.Locator("#events")).ToContainTextAsync("device_data_y2020m01");
            await visit.PhotographAsync($"storage-{width}");
            var excess = await visit.Page.EvaluateAsync<int>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            Assert.True(excess <= 0, $"{excess} pixels too wide");
            visit.AssertClean(platform);
        }
    }
}
