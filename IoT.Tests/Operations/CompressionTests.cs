using System.IO.Compression;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Operations;

public sealed class CompressionTests(SharedPlatform platform)
{
    [Theory]
    [InlineData("application/json")]
    [InlineData("application/x-ndjson")]
    [InlineData("text/csv")]
    public async Task A_large_answer_is_compressed_for_those_who_accept_it_and_says_the_same(string type)
    {
        var device = await HistoryAsync(200);
        var (_, plain) = await ReadAsync($"/api/v1/devices/{device}/data?limit=200", null, type);
        var (response, compressed) = await ReadAsync($"/api/v1/devices/{device}/data?limit=200", "br, gzip;q=0.5", type);
        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        Assert.Contains("Accept-Encoding", response.Headers.Vary);
        Assert.InRange(compressed.Length, 1, plain.Length / 3);
        Assert.Equal(Encoding.UTF8.GetString(plain), Encoding.UTF8.GetString(Decompress(compressed)));
        await Eventually.TrueAsync(
            async () => await CountAsync("before") is var before && await CountAsync("after") is var after && before >= plain.Length && after >= compressed.Length && after < before,
            "the count of bytes before and after");

        Task<double> CountAsync(string stage) => platform.MetricAsync("iot_http_compression_bytes", $"stage=\"{stage}\"");
    }

    [Theory]
    [InlineData("gzip;q=0")]
    [InlineData("br")]
    [InlineData("*, gzip;q=0")]
    [InlineData("not, a; valid=one")]
    public async Task Who_does_not_accept_it_gets_it_plain(string accept)
    {
        var device = await HistoryAsync(50);
        var (response, body) = await ReadAsync($"/api/v1/devices/{device}/data", accept);
        Assert.Empty(response.Content.Headers.ContentEncoding);
        Assert.Equal(50, JsonDocument.Parse(body).RootElement.GetProperty("items").GetArrayLength());
    }

    [Theory]
    [InlineData("/health/live")] // small
    [InlineData("/")] // a page
    [InlineData("/api/v1/nothing")] // an error
    public async Task Small_answers_and_pages_stay_as_they_are(string path)
    {
        var (response, body) = await ReadAsync(path, "gzip");
        Assert.Empty(response.Content.Headers.ContentEncoding);
        Assert.NotEmpty(body);
        Assert.True(path != "/" || body.Length > 2_000, "The page is not large enough to show anything.");
    }

    [Fact]
    public async Task Nothing_is_compressed_below_the_setting_and_idle_connections_are_closed_when_the_setting_says()
    {
        await using var own = new Platform(("Gateway__CompressHttpAboveBytes", "100000000"), ("Gateway__HttpKeepAliveSeconds", "1"));
        await own.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json");
        request.Headers.AcceptEncoding.ParseAdd("gzip");
        using (var response = await own.Client.SendAsync(request, TestContext.Current.CancellationToken))
        {
            Assert.Empty(response.Content.Headers.ContentEncoding);
            Assert.True((await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).Length > 10_000);
        }

        using var idle = new TcpClient();
        await idle.ConnectAsync("127.0.0.1", own.HttpPort, TestContext.Current.CancellationToken);
        await idle.GetStream().WriteAsync("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        using var everything = new MemoryStream();
        await idle.GetStream().CopyToAsync(everything, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.Contains("200 OK", Encoding.ASCII.GetString(everything.ToArray()), StringComparison.Ordinal);
        await Eventually.TrueAsync(async () => await own.MetricAsync("kestrel_connection_duration", "error_type=\"keep_alive_timeout\"") > 0, "the count of connections that were idle for too long");
    }

    private async Task<string> HistoryAsync(int readings)
    {
        var device = await platform.NewDeviceAsync();
        var body = string.Join('\n', Enumerable.Range(0, readings).Select(n => $$$"""{"data_type":"climate","payload":{"temperature":{{{n}}},"place":"hall a"}}"""));
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(body, "application/x-ndjson")).Status);
        await platform.StoredAsync(device.Id);
        return device.Id;
    }

    private async Task<(HttpResponseMessage Response, byte[] Body)> ReadAsync(string path, string? acceptEncoding, string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (acceptEncoding is not null)
            request.Headers.TryAddWithoutValidation("Accept-Encoding", acceptEncoding);
        if (accept is not null)
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        var response = await platform.Client.SendAsync(request, TestContext.Current.CancellationToken);
        return (response, await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    private static byte[] Decompress(byte[] bytes)
    {
        using var plain = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress))
            gzip.CopyTo(plain);
        return plain.ToArray();
    }
}
