using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Readings;

public sealed class StreamTests
{
    private const int Count = 200_000;
    private const long MiB = 1024 * 1024;

    [Fact]
    public async Task Long_streams_are_complete_and_held_in_no_memory()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        // Some 100 MB, straight into the database: the host has seen none of it.
        await platform.ScalarAsync<long>("""
            with rows as (
                insert into device_data (device_id, timestamp, data_type, payload)
                select d.id, date_trunc('month', now()) + n * interval '1 ms', case n % 2 when 0 then 'even' else 'odd' end,
                    jsonb_build_object('n', n, 'filling', repeat('x', 400))
                from devices d, generate_series(1, 200000) n where external_id = $1
                returning 1)
            select count(*) from rows
            """, device.Id);
        await platform.ScalarAsync<long>("select 1::bigint from learn_device_series()");
        var path = $"/api/v1/devices/{device.Id}/data";
        await platform.Client.ReadAsync($"{path}?limit=1000", "text/csv");
        var before = platform.PeakMemory();

        Assert.Equal(Enumerable.Range(1, Count).Reverse(), await NumbersAsync("application/x-ndjson", line =>
            JsonDocument.Parse(line).RootElement.GetProperty("payload").GetProperty("n").GetInt32()));
        Assert.Equal(Enumerable.Range(1, Count).Reverse(), (await NumbersAsync("text/csv", line =>
            line.StartsWith("id,", StringComparison.Ordinal) ? -1 : int.Parse(line.Split("\"\"n\"\": ")[1].Split(',', '}')[0], System.Globalization.CultureInfo.InvariantCulture))).Skip(1));

        var grown = platform.PeakMemory() - before;
        Assert.True(grown < 100 * MiB, $"The host's memory grew by {grown / MiB} MiB");

        // As a file too. Of Parquet a group of some 20,000 rows is held, and what the collector has not come to, which moves: up to 104 MiB
        // were seen. All of it, as text or in a buffer that doubles, would be 190 and more.
        Assert.Equal(50_000, await ExportAsync("parquet", 50_000));
        before = platform.PeakMemory();
        Assert.Equal(Count, await ExportAsync("csv", Count));
        Assert.Equal(Count, await ExportAsync("ndjson", Count));
        Assert.Equal(Count, await ExportAsync("parquet", Count));
        grown = platform.PeakMemory() - before;
        Assert.True(grown < 150 * MiB, $"The host's memory grew by {grown / MiB} MiB with exports");

        async Task<long> ExportAsync(string format, int limit)
        {
            var file = Path.GetTempFileName();
            try
            {
                await using (var content = await platform.Client.GetStreamAsync(new Uri($"/api/v1/data/export?device_id={device.Id}&format={format}&limit={limit}", UriKind.Relative), TestContext.Current.CancellationToken))
                await using (var output = File.Create(file))
                    await content.CopyToAsync(output, TestContext.Current.CancellationToken);
                if (format != "parquet")
                    return File.ReadLines(file).Count() - (format == "csv" ? 1 : 0);
                await using var reader = await Parquet.ParquetReader.CreateAsync(file, cancellationToken: TestContext.Current.CancellationToken);
                return reader.Metadata!.NumRows;
            }
            finally
            {
                File.Delete(file);
            }
        }

        async Task<List<int>> NumbersAsync(string accept, Func<string, int> number)
        {
            var cancellation = TestContext.Current.CancellationToken;
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Accept.ParseAdd(accept);
            using var response = await platform.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            Assert.Equal(200, (int)response.StatusCode);
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation));
            var numbers = new List<int>(Count);
            while (await lines.ReadLineAsync(cancellation) is { } line)
                numbers.Add(number(line));
            return numbers;
        }
    }
}
