using System.IO.Compression;
using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Http;

public sealed class PostDataTests(SharedPlatform platform)
{
    [Fact]
    public async Task A_single_reading_is_stored_as_it_was_sent()
    {
        var device = await platform.NewDeviceAsync();
        var answer = await platform.As(device.Token).PostReadingAsync(
            $$$"""{"device_id":"{{{device.Id}}}","timestamp":"2026-11-20T04:05:06.123456789+02:00","data_type":"climate","payload":{"temperature":23.456,"room":{"name":"Küche 温度"}},"unknown":[1]}""");

        Assert.Equal("""{"accepted":1,"duplicates":0,"rejected":[]}""", answer.Text);
        Assert.Equal(200, answer.Status);
        var stored = Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data")).Items);
        Assert.Equal(["id", "device_id", "timestamp", "data_type", "payload", "status"], stored.EnumerateObject().Select(member => member.Name));
        Assert.Equal(device.Id, stored.GetProperty("device_id").GetString());
        Assert.Equal("2026-11-20T02:05:06.123456Z", stored.GetProperty("timestamp").GetString());
        Assert.Equal("climate", stored.GetProperty("data_type").GetString());
        Assert.Equal(23.456m, stored.GetProperty("payload").GetProperty("temperature").GetDecimal());
        Assert.Equal("Küche 温度", stored.GetProperty("payload").GetProperty("room").GetProperty("name").GetString());
        Assert.Equal("active", stored.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_reading_without_a_timestamp_gets_the_time_of_its_arrival()
    {
        var device = await platform.NewDeviceAsync();
        var before = TimeProvider.System.GetUtcNow().AddSeconds(-1);
        await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""");

        var stored = Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data")).Items);
        Assert.InRange(stored.GetProperty("timestamp").GetDateTimeOffset(), before, TimeProvider.System.GetUtcNow().AddSeconds(1));
    }

    [Fact]
    public async Task An_array_is_stored_whole()
    {
        var device = await platform.NewDeviceAsync();
        var readings = Enumerable.Range(0, 10_000).Select(i => $$$"""{"device_id":"{{{device.Id}}}","data_type":"n","payload":{"n":{{{i}}}}}""");
        var answer = await platform.As(device.Token).PostReadingAsync($"[{string.Join(",", readings)}]");

        Assert.Equal(200, answer.Status);
        Assert.Equal(10_000, answer.Accepted);
        Assert.Equal(10_000, await platform.StoredAsync(device.Id));
        Assert.Equal(49_995_000, await platform.ScalarAsync<decimal>(
            "select sum((payload->>'n')::numeric) from device_data join devices on devices.id = device_id where external_id = $1", device.Id));
    }

    [Theory]
    [InlineData("application/x-ndjson")]
    [InlineData("application/x-ndjson; charset=utf-8")]
    [InlineData("application/ndjson")]
    public async Task Ndjson_is_read_line_by_line(string contentType)
    {
        var device = await platform.NewDeviceAsync();
        using var content = new ByteArrayContent("{\"data_type\":\"a\",\"payload\":{}}\r\n\n{\"data_type\":\"b\",\"payload\":{\"x\":1}}\nnonsense\n{\"data_type\":\"c\",\"payload\":{}}"u8.ToArray());
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        var answer = await platform.As(device.Token).SendAsync(HttpMethod.Post, "/api/v1/data", content);

        Assert.Equal(200, answer.Status);
        Assert.Equal(3, answer.Accepted);
        Assert.Equal(2, Assert.Single(answer.Rejected).Index);
        Assert.Equal(3, await platform.StoredAsync(device.Id));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5_000)]
    public async Task A_gzip_body_is_unpacked(int count)
    {
        var device = await platform.NewDeviceAsync();
        var readings = string.Join("\n", Enumerable.Repeat("""{"data_type":"zipped","payload":{"temperature":21.5}}""", count));
        var answer = await platform.As(device.Token).PostReadingAsync(Gzip(Encoding.UTF8.GetBytes(readings)), "application/x-ndjson", "gzip");

        Assert.Equal(count, answer.Accepted);
        Assert.Equal(count, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task What_claims_to_be_gzip_and_is_not_is_refused()
    {
        var answer = await platform.Client.PostReadingAsync("""{"device_id":"x","data_type":"t","payload":{}}""", encoding: "gzip");
        Assert.Equal(400, answer.Status);
        Assert.Equal("urn:iot:problem:invalid", answer.Problem);

        var unknown = await platform.Client.PostReadingAsync("{}", encoding: "br");
        Assert.Equal(400, unknown.Status);
        Assert.Contains("gzip", unknown.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Curl_needs_no_content_type()
    {
        var device = await platform.NewDeviceAsync();
        var sent = await ClientTool.RunAsync("curl", "-sS", "-w", "%{http_code}", $"{platform.BaseUrl}/api/v1/data", "-H", $"Authorization: Bearer {device.Token}",
            "-d", $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","payload":{"x":1}}""");

        Assert.Equal("""{"accepted":1,"duplicates":0,"rejected":[]}200""", sent.Output);
        Assert.Equal(1, await platform.StoredAsync(device.Id));

        var without = await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{"x":2}}""", contentType: null);
        Assert.Equal(200, without.Status);
    }

    [Fact]
    public async Task What_was_acknowledged_is_in_the_next_answer()
    {
        var device = await platform.NewDeviceAsync();
        var sender = platform.As(device.Token);
        for (var n = 1; n <= 20; n++)
        {
            Assert.Equal(200, (await sender.PostReadingAsync($$$"""{"data_type":"n","payload":{"n":{{{n}}}}}""")).Status);
            var latest = Assert.Single((await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/latest")).Items);
            Assert.Equal(n, latest.GetProperty("payload").GetProperty("n").GetInt32());
        }
    }

    [Theory]
    [InlineData(7)]
    [InlineData(2026)]
    public async Task Payloads_that_the_parser_accepts_are_taken_by_jsonb(int seed)
    {
        // Straight from damaged bodies to the database, so that an exception there would show.
        var device = await platform.NewDeviceAsync();
        var payloads = ReadingSamples.AcceptedPayloads(seed, bodies: 4_000).Select(payload => Encoding.UTF8.GetString(payload.Span)).ToList();
        Assert.True(payloads.Count > 2_000, $"only {payloads.Count} payloads");
        foreach (var chunk in payloads.Chunk(1_000))
        {
            // An NDJSON line can't hold a payload that is written over several; an array can.
            var answer = await platform.As(device.Token).PostReadingAsync($"[{string.Join(",", chunk.Select(payload => $$$"""{"data_type":"fuzz","payload":{{{payload}}}}"""))}]");
            Assert.True(answer is { Status: 200 } && answer.Accepted == chunk.Length, answer.Text);
        }
        Assert.Equal(payloads.Count, await platform.StoredAsync(device.Id));
        Assert.DoesNotContain("PostgreSQL refuses", platform.Output, StringComparison.Ordinal);
    }

    internal static byte[] Gzip(byte[] body)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
            gzip.Write(body);
        return packed.ToArray();
    }
}
