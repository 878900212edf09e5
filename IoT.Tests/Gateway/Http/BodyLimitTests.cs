using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Http;

/// <summary>Bodies that are too large are told so, and cost neither memory nor time.</summary>
public sealed class BodyLimitTests
{
    private const long MiB = 1024 * 1024;
    private const int Single = (int)MiB;
    private const int Batch = 16 * (int)MiB;

    [Fact]
    public async Task Bodies_over_a_limit_are_refused_with_413_in_little_memory()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var sender = platform.As(device.Token);

        Assert.Equal(200, (await sender.PostReadingAsync(ReadingOf(Single))).Status);
        await RefusedAsync(ReadingOf(Single + 1), "application/json", null);

        Assert.Equal(200, (await sender.PostReadingAsync($"[{ReadingOf(700_000)},{ReadingOf(700_000)}]")).Status);
        await RefusedAsync($"[{new string(' ', Batch)}]", "application/json", null);
        await RefusedAsync(new string('\n', Batch + 1), "application/x-ndjson", null);
        Assert.Equal(3, await platform.StoredAsync(device.Id));

        var before = platform.PeakMemory();

        // A million elements in 2 MB, and 7 MB of readings.
        await RefusedAsync($"[{string.Join(",", Enumerable.Repeat("0", 1_000_000))}]", "application/json", null);
        await RefusedAsync($"[{string.Join(",", Enumerable.Repeat("{}", 1_000_000))}]", "application/json", null);
        await RefusedAsync($"[{string.Join(",", Enumerable.Repeat("""{"data_type":"t","payload":{}}""", 10_001))}]", "application/json", null);
        Assert.Equal(200, (await sender.PostReadingAsync($"[{string.Join(",", Enumerable.Repeat("""{"data_type":"t","payload":{}}""", 10_000))}]")).Status);

        // A gigabyte of zeros in some megabytes of gzip, ten times.
        var bomb = PostDataTests.Gzip(new byte[1024 * MiB - 1]);
        Assert.True(bomb.Length < 16 * MiB);
        byte[] endless = [.. PostDataTests.Gzip("["u8.ToArray()), .. bomb];
        for (var i = 0; i < 10; i++)
            await RefusedAsync(endless, "application/json", "gzip");

        var grown = platform.PeakMemory() - before;
        Assert.True(grown < 300 * MiB, $"The host's memory grew by {grown / MiB} MiB");
        Assert.Equal(200, (await sender.PostReadingAsync("""{"data_type":"t","payload":{"still":"here"}}""")).Status);

        Task RefusedAsync(object body, string contentType, string? encoding) => RefusesAsync(sender, body, contentType, encoding);
    }

    private static async Task RefusesAsync(HttpClient sender, object body, string contentType, string? encoding)
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        var answer = await sender.PostReadingAsync(body as byte[] ?? Encoding.UTF8.GetBytes((string)body), contentType, encoding);
        Assert.Equal(413, answer.Status);
        Assert.Equal("urn:iot:problem:too-large", answer.Problem);
        Assert.True(clock.GetElapsedTime(start) < TimeSpan.FromSeconds(10), "A refusal took too long.");
    }

    private static string ReadingOf(int bytes)
    {
        const string frame = """{"data_type":"large","payload":{"x":""}}""";
        return frame.Insert(frame.IndexOf("\"\"", StringComparison.Ordinal) + 1, new string('x', bytes - frame.Length));
    }
}
