using System.Globalization;
using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Pages;

/// <summary>Parts of pages that are made once for everybody who looks.</summary>
public sealed class FragmentTests(SharedPlatform platform)
{
    [Fact]
    public async Task Charts_are_drawn_once_for_all_and_anew_with_the_next_reading()
    {
        var device = await platform.NewDeviceAsync();
        var path = $"/devices/{device.Id}?handler=Charts&hours=1";
        var (_, key) = await platform.NewKeyAsync("viewer");
        var before = await KindAsync("host.charts");
        for (var i = 1; i <= 3; i++)
        {
            await platform.Client.PostReadingAsync(string.Create(CultureInfo.InvariantCulture, $$"""{"device_id":"{{device.Id}}","data_type":"t","payload":{"number-{{i}}":{{i}}} }"""));
            var first = await platform.Client.ReadAsync(path);
            Assert.Equal(200, first.Status);
            Assert.Contains($"number-{i}", first.Text, StringComparison.Ordinal);
            Assert.Equal(first.Text, (await platform.As(key).ReadAsync(path)).Text);
        }
        Assert.True((await KindAsync("host.charts")).Hits >= before.Hits + 3);
        Assert.Equal(404, (await platform.Client.ReadAsync($"/devices/{device.Id}-not?handler=Charts")).Status);
    }

    [Fact]
    public async Task Nobody_gets_a_part_of_a_page_from_the_cache_who_may_not_see_the_page()
    {
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.Client.ReadAsync($"/devices/{device.Id}?handler=Charts")).Status);
        Assert.Equal(200, (await platform.Client.ReadAsync("/?handler=Live")).Status);
        foreach (var path in new[] { $"/devices/{device.Id}?handler=Charts", "/?handler=Live" })
        {
            // A device's token is no viewer; a stranger is sent to sign in.
            Assert.Equal(403, (await platform.As(device.Token).ReadAsync(path)).Status);
            Assert.DoesNotContain("<svg", (await platform.Stranger.ReadAsync(path)).Text, StringComparison.Ordinal);
        }
        Assert.Equal(403, (await platform.As(device.Token).ReadAsync($"/api/v1/devices/{device.Id}/latest")).Status);
    }

    [Fact]
    public async Task The_overview_is_made_once_for_those_who_ask_at_once()
    {
        var before = await KindAsync("host.overview");
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => platform.Client.ReadAsync("/?handler=Live")));
        Assert.All(answers, answer => Assert.Contains("id=\"components\"", answer.Text, StringComparison.Ordinal));
        var after = await KindAsync("host.overview");
        Assert.True(after.Computed - before.Computed < 20, $"It was made {after.Computed - before.Computed} times for 20.");
    }

    private async Task<(long Hits, long Computed)> KindAsync(string name)
    {
        var kind = (await platform.Client.ReadAsync("/api/v1/cache")).Json.GetProperty("kinds").EnumerateArray().FirstOrDefault(kind => kind.GetProperty("name").GetString() == name);
        return kind.ValueKind == JsonValueKind.Undefined ? (0, 0) : (kind.GetProperty("memory_hits").GetInt64(), kind.GetProperty("computed").GetInt64());
    }
}
