using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using IoT.Benchmarks.Cache;
using IoT.Benchmarks.Ingest;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Semantics;

/// <summary>The engine within the host: what a question takes, and what rules cost ingest.</summary>
internal sealed partial class SemanticsBenchmark
{
    private const string Infer = "/api/v1/infer";

    private static readonly TimeSpan LongestDrain = TimeSpan.FromMinutes(5);

    /// <summary>The factory of <c>./run --demo</c> with its devices publishing, so that answers lose what they were made of as they would there.</summary>
    private async Task InferAsync()
    {
        await using var host = await HostUnderTest.StartAsync(_folder, "infer", new Dictionary<string, string> { ["Demo__Enabled"] = "true" }, _stop);
        var started = Stopwatch.GetTimestamp();
        // Its rules are there, and its machines have said something: something follows.
        while (!(await AskAsync(host, Question(0))).Contains("\"because\"", StringComparison.Ordinal))
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromMinutes(1))
                throw new TimeoutException("nothing follows from the demo after a minute");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, _stop);
        }
        var port = HostUnderTest.FreePort();
        await using var reference = await LatestServer.StartAsync(port, [], _stop);
        using var bare = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")) };
        var count = _options.IsQuick ? 1_000 : 5_000;
        var (empty, asked, cached) = (double.MaxValue, double.MaxValue, double.MaxValue);
        var question = 1;
        // The first round makes the code warm.
        for (var round = 0; round <= _rounds; round++)
        {
            var none = await P95Async(count, () => bare.GetAsync(new Uri("/api/v1/devices/none/latest", UriKind.Relative), _stop));
            var anew = await P95Async(count, () => PostAsync(host, Question(question++)));
            var again = await P95Async(count, () => PostAsync(host, Question(0)));
            if (round > 0)
                (empty, asked, cached) = (Math.Min(empty, none), Math.Min(asked, anew), Math.Min(cached, again));
        }
        _figures.Add(Figure.AtMost(Name, "infer: what follows in the demo's hall A, p95", asked, "µs", "Kestrel with an empty answer, p95", empty, 20));
        _figures.Add(Figure.AtMost(Name, "infer: the same question again, p95", cached, "µs", "Kestrel with an empty answer, p95", empty, 3));
        await host.StopAsync();

        // A device that nobody knows makes it another question with the same answer.
        static string Question(int number) => string.Create(CultureInfo.InvariantCulture,
            $$$"""{"query_type":"semantic_inference","entities":[{"type":"Device","id":"demo-machine-1"},{"type":"Device","id":"none-{{{number}}}"}],"context":{"location":"hall-a"}}""");
    }

    /// <summary>Ingest with rules that look at a metric of every device, and without, in turn.</summary>
    private async Task IngestAsync()
    {
        const string Rules = "/api/v1/rules/bench";
        await using var host = await HostUnderTest.StartAsync(_folder, "ingest", new Dictionary<string, string>(), _stop);
        await using var table = new ReadingsTable(host.ConnectionString);
        await using var load = await LoadProcess.MqttAsync(host.MqttPort, IngestSizes.Connections, IngestSizes.Connections, _stop);
        var messages = _options.Messages ?? (_options.IsQuick ? 200_000 : 600_000);
        var text = string.Join('\n', Enumerable.Range(0, 20).Select(i => string.Create(
            CultureInfo.InvariantCulture, $"{{ ?d a iot:Device ; metric:temperature ?t . ?t math:greaterThan {i * 5} }} => {{ ?d iot:above {i * 5} }} .")));
        text = $"@prefix iot: <urn:iot:vocab:> .\n@prefix metric: <urn:iot:metric:> .\n@prefix math: <http://www.w3.org/2000/10/swap/math#> .\n{text}\n";
        var (without, with) = (0d, 0d);
        // The first round of each makes the code warm; what disturbs one round is not in the best of all.
        for (var round = 0; round <= Math.Max(3, _rounds); round++)
        {
            (await host.Client.DeleteAsync(new Uri(Rules, UriKind.Relative), _stop)).Dispose();
            var plain = await RateAsync(host, table, load, messages);
            using var rules = new StringContent(text, Encoding.UTF8, new MediaTypeHeaderValue("text/n3"));
            using var put = await host.Client.PutAsync(new Uri(Rules, UriKind.Relative), rules, _stop);
            put.EnsureSuccessStatusCode();
            var ruled = await RateAsync(host, table, load, messages);
            if (round > 0)
                (without, with) = (Math.Max(without, plain), Math.Max(with, ruled));
        }
        var inferences = await host.Client.GetStringAsync(new Uri("/api/v1/facts?derived=true", UriKind.Relative), _stop);
        if (!inferences.Contains("urn:iot:vocab:above", StringComparison.Ordinal))
            throw new InvalidOperationException("nothing has been derived from what was sent");
        _figures.Add(Figure.AtLeast(Name, "ingest: acknowledged and stored, 20 rules that match every device", with, "readings/s", "without rules", without, 0.85));
        await host.StopAsync();
    }

    private async Task<double> RateAsync(HostUnderTest host, ReadingsTable table, LoadProcess load, int messages)
    {
        await table.ClearAsync(_stop);
        var id = await table.LastIdAsync(_stop);
        var result = await load.RunAsync(new LoadOrder(messages, 0, IngestSizes.InFlight), _stop);
        var stored = await table.WaitForRowsAsync(id, result.Answered, LongestDrain, _stop);
        await host.StoredAsync(LongestDrain, _stop);
        return result.Answered / Stopwatch.GetElapsedTime(result.StartedAt, stored).TotalSeconds;
    }

    private async Task<double> P95Async(int count, Func<Task<HttpResponseMessage>> ask)
    {
        var times = new double[count];
        for (var i = 0; i < count; i++)
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await ask();
            answer.EnsureSuccessStatusCode();
            times[i] = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        }
        Array.Sort(times);
        return times[count * 95 / 100];
    }

    private async Task<HttpResponseMessage> PostAsync(HostUnderTest host, string question)
    {
        using var body = new StringContent(question, Encoding.UTF8, "application/json");
        return await host.Client.PostAsync(new Uri(Infer, UriKind.Relative), body, _stop);
    }

    private async Task<string> AskAsync(HostUnderTest host, string question)
    {
        using var answer = await PostAsync(host, question);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(_stop) : "";
    }
}
