using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using IoT.Tests.Support;
using Parquet;
using Parquet.Schema;
using Xunit;

namespace IoT.Tests.Gateway.Import;

/// <summary>Readings in and out as files.</summary>
public sealed class ImportTests(SharedPlatform platform)
{
    private static readonly DateTimeOffset Start = new(2026, 10, 30, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task What_is_exported_as_csv_is_imported_as_it_was()
    {
        var from = await platform.NewDeviceAsync();
        var to = await platform.NewDeviceAsync();
        string[] payloads = ["""{"a": 1.5, "text": "x,\"y\"\n°C"}""", """{"nested": {"b": [1, null, true]}}""", "{}"];
        var readings = Enumerable.Range(0, 300).Select(n => $$"""{"device_id":"{{from.Id}}","data_type":"t{{n % 2}}","timestamp":"{{At(n)}}","payload":{{payloads[n % 3]}}}""");
        Assert.Equal(200, (await platform.Client.PostReadingAsync($"[{string.Join(",", readings)}]")).Status);

        var csv = (await platform.Client.ReadAsync($"/api/v1/data/export?device_id={from.Id}")).Text;
        Assert.Equal(300, csv.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Length - 1);
        var imported = await ImportAsync(Encoding.UTF8.GetBytes(csv.Replace(from.Id, to.Id, StringComparison.Ordinal)), "text/csv");
        Assert.Equal((200, 300, 0), (imported.Status, imported.Accepted, imported.Json.GetProperty("rejected_count").GetInt32()));
        Assert.Equal(300, await platform.StoredAsync(to.Id));
        Assert.Equal(0, await platform.ScalarAsync<long>(
            $"""
             select count(*) from (
                 (select timestamp, data_type, payload from device_data r join devices d on d.id = device_id where external_id = '{from.Id}')
                 except all (select timestamp, data_type, payload from device_data r join devices d on d.id = device_id where external_id = '{to.Id}')) missing
             """));
        var ledger = (await platform.Client.ReadAsync($"/api/v1/ledger?device_id={to.Id}")).Items[0];
        Assert.Equal((300, 300), (ledger.GetProperty("received").GetInt64(), ledger.GetProperty("stored").GetInt64()));
    }

    [Fact]
    public async Task Lines_that_are_wrong_are_told_by_their_number_and_dont_keep_the_others_out()
    {
        var device = await platform.NewDeviceAsync();
        var csv = $$""""
            device_id,timestamp,data_type,payload,payload.t,payload.state,message_id
            {{device.Id}},{{At(0)}},m,,21.5,on,m-1
            {{device.Id}},yesterday,m,"{""a"":1}",,,
            {{device.Id}},{{At(1)}},m,"{""a"":",,,
            {{device.Id}},{{At(2)}},m,"{""a"":1},""device_id"":""x""",,,
            {{device.Id}},{{At(3)}},m,"{
              ""a"": 7}",,,
            {{device.Id}},{{At(4)}},m,,true,007,
            {{device.Id}},{{At(0)}},m,,21.5,on,m-1
            {{device.Id}},{{At(5)}},m,"{}",,,,one too many
            {{device.Id}},{{At(5)}},m,in "the" middle,,,
            """";
        var imported = await ImportAsync(Encoding.UTF8.GetBytes(csv), "text/csv");
        Assert.Equal((200, 3, 1), (imported.Status, imported.Accepted, imported.Json.GetProperty("duplicates").GetInt32()));
        Assert.Equal([3, 4, 5, 10, 11], imported.Json.GetProperty("rejected").EnumerateArray().Select(r => r.GetProperty("line").GetInt32()).Order());
        Assert.True(imported.Json.GetProperty("complete").GetBoolean());
        Assert.Equal(3, await platform.StoredAsync(device.Id));
        var stored = (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}/data")).Items.Select(r => r.GetProperty("payload").GetRawText()).ToList();
        Assert.Equal(["""{"t": true, "state": "007"}""", """{"a": 7}""", """{"t": 21.5, "state": "on"}"""], stored.Select(Normal));
        Assert.Equal(400, (await ImportAsync("id,nonsense\r\n1,2"u8.ToArray(), "text/csv")).Status);
        Assert.Contains("twice", (await ImportAsync("device_id,data_type,payload.a,payload.a\r\n"u8.ToArray(), "text/csv")).Text, StringComparison.Ordinal);
        Assert.Equal(400, (await ImportAsync("[]"u8.ToArray(), "application/json")).Status);
        Assert.Equal(403, (await ImportAsync("\n"u8.ToArray(), "text/csv", (await platform.NewKeyAsync("operator")).Key)).Status);

        static string Normal(string json) => json.Replace(" ", "", StringComparison.Ordinal) switch
        {
            """{"t":true,"state":"007"}""" => """{"t": true, "state": "007"}""",
            """{"t":21.5,"state":"on"}""" => """{"t": 21.5, "state": "on"}""",
            """{"a":7}""" => """{"a": 7}""",
            var other => other,
        };
    }

    [Fact]
    public async Task Ndjson_of_any_length_comes_in_while_the_ledger_stays_balanced_and_progress_is_told()
    {
        const int lines = 60_000;
        var device = await platform.NewDeviceAsync();
        using var body = new MemoryStream();
        await using (var gzip = new GZipStream(body, CompressionLevel.Fastest, leaveOpen: true))
        await using (var writer = new StreamWriter(gzip))
        {
            for (var n = 0; n < lines; n++)
                await writer.WriteAsync(n == 40_000 ? "not json\n\n" : $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","timestamp":"{{{At(n % 5_000)}}}","payload":{"n":{{{n}}}}}{{{'\n'}}}""");
        }
        var imported = await ImportAsync(body.ToArray(), "application/x-ndjson", encoding: "gzip");
        Assert.Equal((200, lines - 1), (imported.Status, imported.Accepted));
        Assert.Equal(40_001, imported.Json.GetProperty("rejected").EnumerateArray().Single().GetProperty("line").GetInt32());
        Assert.Equal(lines - 1, await platform.StoredAsync(device.Id));
        Assert.Equal(lines - 1, await platform.ScalarAsync<long>("select count(distinct payload->>'n') from device_data join devices d on d.id = device_id where external_id = $1", device.Id));
        var told = (await platform.Client.ReadAsync("/api/v1/data/import")).Items.First(i => i.GetProperty("accepted").GetInt64() == lines - 1);
        Assert.Equal(("done", (long)lines, body.Length), (told.GetProperty("state").GetString(), told.GetProperty("lines").GetInt64(), told.GetProperty("bytes").GetInt64()));
        using (var parquet = new MemoryStream(await platform.Client.GetByteArrayAsync(new Uri($"/api/v1/data/export?device_id={device.Id}&format=parquet", UriKind.Relative), TestContext.Current.CancellationToken)))
        {
            await using var reader = await ParquetReader.CreateAsync(parquet, cancellationToken: TestContext.Current.CancellationToken);
            Assert.Equal(lines - 1, reader.Metadata!.NumRows);
            Assert.InRange(reader.RowGroupCount, 2, 10);
        }
        await Eventually.TrueAsync(async () =>
        {
            var total = (await platform.Client.ReadAsync("/api/v1/ledger")).Json.GetProperty("total");
            return total.GetProperty("received").GetInt64() == new[] { "stored", "duplicate", "rejected", "quarantined", "in_flight" }.Sum(name => total.GetProperty(name).GetInt64());
        }, "a balanced ledger");
    }

    [Fact]
    public async Task A_file_is_cut_where_it_can_be_read_no_further_and_what_came_before_is_stored()
    {
        var device = await platform.NewDeviceAsync();
        var line = Encoding.UTF8.GetBytes($$"""{"device_id":"{{device.Id}}","data_type":"t","payload":{} }""" + "\n");
        var row = Encoding.UTF8.GetBytes($"{device.Id},t\n");
        var imported = await ImportAsync([.. "device_id,data_type\n"u8, .. row, .. "bad id,t\n"u8, 0xFF, 0x2C, 0x74, 0x0A, .. row, 0x22, .. Encoding.UTF8.GetBytes(new string('x', 2_000_000))], "text/csv");
        Assert.Equal((200, 2, false), (imported.Status, imported.Accepted, imported.Json.GetProperty("complete").GetBoolean()));
        Assert.Equal(["reading: is not UTF-8", "body: "], imported.Json.GetProperty("rejected").EnumerateArray().Skip(1).Select(r => r.GetProperty("error").GetString()![..(r.GetProperty("line").GetInt32() == 4 ? 21 : 6)]));

        // A body that ends in the middle of its compression is not taken for the whole.
        using var zipped = new MemoryStream();
        await using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (var n = 0; n < 20_000; n++)
                await gzip.WriteAsync(Encoding.UTF8.GetBytes($$$"""{"device_id":"{{{device.Id}}}","data_type":"t","payload":{"n":{{{n * 7919 % 20_011}}}}}{{{'\n'}}}"""), TestContext.Current.CancellationToken);
        }
        imported = await ImportAsync(zipped.ToArray()[..^1_000], "application/x-ndjson", encoding: "gzip");
        Assert.Equal((200, false), (imported.Status, imported.Json.GetProperty("complete").GetBoolean()));
        Assert.InRange(imported.Accepted, 1, 19_999);
        Assert.Equal(2 + imported.Accepted, await platform.StoredAsync(device.Id));

        imported = await ImportAsync(line, "application/x-ndjson", encoding: "gzip");
        Assert.Equal(400, imported.Status);
        imported = await ImportAsync([0xFF, 0xFE, .. Encoding.Unicode.GetBytes("{}")], "application/x-ndjson");
        Assert.Equal(400, imported.Status);
        Assert.Contains("UTF-16", imported.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_counted_as_accepted_is_stored_although_the_host_is_killed_in_the_middle()
    {
        await using var own = new Platform();
        await own.StartAsync();
        var device = await own.NewDeviceAsync();
        using var content = new EndlessLines(n => $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","timestamp":"{{{At((int)(n % 5_000))}}}","payload":{"n":{{{n}}}}}{{{'\n'}}}""");
        var sending = own.Client.SendAsync(HttpMethod.Post, "/api/v1/data/import", content);
        long accepted = 0;
        await Eventually.TrueAsync(async () =>
        {
            accepted = (await own.Client.ReadAsync("/api/v1/data/import")).Items is [var running] ? running.GetProperty("accepted").GetInt64() : 0;
            return accepted >= 5_000;
        }, "an import in the middle");
        await own.KillAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => sending);

        await own.StartAsync();
        Assert.InRange(await own.StoredAsync(device.Id), accepted, long.MaxValue);
        Assert.Equal(0, await own.ScalarAsync<long>("select count(*) - count(distinct payload->>'n') from device_data"));

        // Stopped as it should be, it says how far it came. This sender has not sent all of its file yet.
        using var sender = new TcpClient();
        await sender.ConnectAsync(IPAddress.Loopback, own.HttpPort, TestContext.Current.CancellationToken);
        var lines = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 10_000).Select(n => $$$"""{"device_id":"{{{device.Id}}}","data_type":"stopped","timestamp":"{{{At(n % 5_000)}}}","payload":{"n":{{{n}}}}}{{{'\n'}}}""")));
        await sender.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /api/v1/data/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Platform.AdminKey}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {lines.Length + 1}\r\n\r\n"), TestContext.Current.CancellationToken);
        await sender.GetStream().WriteAsync(lines, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => (await own.Client.ReadAsync("/api/v1/data/import")).Items is [var running] && running.GetProperty("bytes").GetInt64() == lines.Length, "all of it read");
        own.Terminate();
        // The connection is not of use any more: it may be reset behind the answer.
        using var reader = new StreamReader(sender.GetStream());
        var (answer, part) = ("", new char[4_096]);
        while (!answer.Contains("\"rejected\":[]", StringComparison.Ordinal) && await reader.ReadAsync(part, TestContext.Current.CancellationToken) is > 0 and var length)
            answer += new string(part, 0, length);
        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        var taken = Told("accepted");
        Assert.InRange(taken, 5_000, 10_000);
        Assert.Equal(taken, Told("line"));
        Assert.Equal(0, await own.ExitAsync());
        await own.StartAsync();
        await own.StoredAsync(device.Id);
        Assert.Equal(taken, await own.ScalarAsync<long>("select count(*) from device_data where data_type = 'stopped'"));

        long Told(string member) => long.Parse(Regex.Match(answer, $"\"{member}\":([0-9]+)").Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task Parquet_holds_what_is_stored()
    {
        var device = await platform.NewDeviceAsync();
        var readings = Enumerable.Range(0, 50).Select(n => $$$"""{"device_id":"{{{device.Id}}}","data_type":"t","timestamp":"{{{At(n)}}}","payload":{"n":{{{n}}}}}""");
        Assert.Equal(200, (await platform.Client.PostReadingAsync($"[{string.Join(",", readings)}]")).Status);
        using var response = await platform.Client.GetAsync(new Uri($"/api/v1/data/export?device_id={device.Id}&format=parquet", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.EndsWith(".parquet", response.Content.Headers.ContentDisposition!.FileName!.Trim('"'), StringComparison.Ordinal);
        using var file = new MemoryStream(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        await using var reader = await ParquetReader.CreateAsync(file, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(["id", "device_id", "timestamp", "data_type", "payload", "status"], reader.Schema.DataFields.Select(f => f.Name));
        Assert.Equal(50, reader.Metadata!.NumRows);
        using (var group = reader.OpenRowGroupReader(0))
        {
            var (times, payloads) = (new DateTime[50], new string[50]);
            await group.ReadAsync<DateTime>(reader.Schema.DataFields[2], times, null, TestContext.Current.CancellationToken);
            await group.ReadAsync(reader.Schema.DataFields[4], payloads, null, TestContext.Current.CancellationToken);
            // Newest first.
            Assert.Equal(Enumerable.Range(0, 50).Select(n => Start.AddMinutes(49 - n).UtcDateTime), times);
            Assert.Equal(Enumerable.Range(0, 50).Select(n => 49 - n), payloads.Select(payload => JsonSerializer.Deserialize<JsonElement>(payload).GetProperty("n").GetInt32()));
        }

        using var none = new MemoryStream(await platform.Client.GetByteArrayAsync(new Uri($"/api/v1/data/export?device_id={device.Id}&format=parquet&data_type=other", UriKind.Relative), TestContext.Current.CancellationToken));
        await using var empty = await ParquetReader.CreateAsync(none, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(0, empty.Metadata!.NumRows);
        Assert.Single((await platform.Client.ReadAsync($"/api/v1/data/export?device_id={device.Id}&format=ndjson&limit=1")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(3, (await platform.Client.ReadAsync($"/api/v1/data/export?device_id={device.Id}&from={At(10)}&to={At(13)}", "application/x-ndjson")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(400, (await platform.Client.ReadAsync("/api/v1/data/export?format=xml")).Status);
    }

    [Fact]
    public async Task Devices_are_registered_from_csv_line_by_line()
    {
        var (a, b, taken) = (Platform.NewId("imported"), Platform.NewId("imported"), (await platform.NewDeviceAsync()).Id);
        var answer = await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/devices:import", new StringContent(
            $$""""
            id,name,type,location,labels,label.line
            {{a}},"Press, large",Machine,hall-a,"{""shift"":""day""}",2
            bad id,,,,,
            {{taken}},,,,,
            {{b}},,,,not json,
            {{b}},,Sensor,,,
            """", Encoding.UTF8, "text/csv"));
        Assert.Equal((200, 2), (answer.Status, answer.Json.GetProperty("created").GetInt32()));
        Assert.Equal([3, 4, 5], answer.Json.GetProperty("rejected").EnumerateArray().Select(r => r.GetProperty("line").GetInt32()));
        var device = (await platform.Client.ReadAsync($"/api/v1/devices/{a}")).Json;
        Assert.Equal(("Press, large", "Machine", "hall-a", "2", "day"), (
            device.GetProperty("name").GetString(), device.GetProperty("type").GetString(), device.GetProperty("location").GetString(),
            device.GetProperty("labels").GetProperty("line").GetString(), device.GetProperty("labels").GetProperty("shift").GetString()));
        var token = answer.Items.Single(i => i.GetProperty("id").GetString() == b).GetProperty("token").GetString();
        Assert.Equal(200, (await platform.As(token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
        Assert.Equal(400, (await platform.Client.SendAsync(HttpMethod.Post, "/api/v1/devices:import", new StringContent("name\nx", Encoding.UTF8, "text/csv"))).Status);
    }

    /// <summary>A body that goes on until its receiver does not.</summary>
    private sealed class EndlessLines : HttpContent
    {
        private readonly Func<long, string> _line;

        public EndlessLines(Func<long, string> line)
        {
            _line = line;
            Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var n = 0L; ; n++)
                await stream.WriteAsync(Encoding.UTF8.GetBytes(_line(n)), TestContext.Current.CancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private async Task<Answer> ImportAsync(byte[] body, string type, string? key = null, string? encoding = null)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (encoding is not null)
            content.Headers.ContentEncoding.Add(encoding);
        return await (key is null ? platform.Client : platform.As(key)).SendAsync(HttpMethod.Post, "/api/v1/data/import", content);
    }

    private static string At(int minute) => Start.AddMinutes(minute).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
