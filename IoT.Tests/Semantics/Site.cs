using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics;

/// <summary>A model and rules of a test's own on a platform that others use too: their names hold a mark, and they are taken out at the end.</summary>
internal sealed class Site(Platform platform) : IAsyncDisposable
{
    private readonly List<string> _documents = [];

    /// <summary>In every name that this test makes up.</summary>
    public string Mark { get; } = Platform.NewId("t").Replace("-", "", StringComparison.Ordinal);

    public string Prefixes => $"""
        @prefix iot: <urn:iot:vocab:> .
        @prefix metric: <urn:iot:metric:> .
        @prefix device: <urn:iot:device:> .
        @prefix loc: <urn:iot:location:> .
        @prefix math: <http://www.w3.org/2000/10/swap/math#> .
        @prefix t: <urn:test:{Mark}:> .

        """;

    public Task<Answer> PutModelAsync(string turtle, string name = "model") => PutAsync("model", name, turtle);

    public Task<Answer> PutRulesAsync(string rules, string name = "rules") => PutAsync("rules", name, rules);

    public string NameOf(string name) => $"{Mark}-{name}";

    public async Task<Answer> PutAsync(string kind, string name, string text)
    {
        var path = $"/api/v1/{kind}/{NameOf(name)}";
        var answer = await platform.Client.SendAsync(HttpMethod.Put, path, new StringContent(Prefixes + text, Encoding.UTF8, kind == "model" ? "text/turtle" : "text/n3"));
        if (answer.Status is 200 or 201 && !_documents.Contains(path))
            _documents.Add(path);
        return answer;
    }

    /// <summary>Stores a reading, and answers when a query would see it.</summary>
    public async Task SendAsync(TestDevice device, string payload, DateTime? at = null, string dataType = "machine")
    {
        var timestamp = at is { } time ? $"\"timestamp\":\"{time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture)}\"," : "";
        var answer = await platform.As(device.Token).PostReadingAsync($$"""{{{timestamp}}"data_type":"{{dataType}}","payload":{{payload}}}""");
        Assert.True(answer.Status == 200, answer.ToString());
    }

    /// <summary>Lines of N-Triples.</summary>
    public async Task<IReadOnlyList<string>> FactsAsync(string subject, bool? derived = null)
    {
        var answer = await platform.Client.ReadAsync($"/api/v1/facts?subject={WebUtility.UrlEncode(subject)}{(derived is { } only ? $"&derived={(only ? "true" : "false")}" : "")}");
        Assert.True(answer.Status == 200, answer.ToString());
        return [.. answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }

    /// <summary>What the device's member is now, as N-Triples; null: nothing.</summary>
    public async Task<string?> ValueAsync(TestDevice device, string metric)
    {
        var start = $"<urn:iot:device:{device.Id}> <urn:iot:metric:{metric}> ";
        return (await FactsAsync(device.Id, false)).SingleOrDefault(line => line.StartsWith(start, StringComparison.Ordinal))?[start.Length..^2];
    }

    public async Task<IReadOnlyList<JsonElement>> InferencesAsync(string subject, bool? active = null)
    {
        var answer = await platform.Client.ReadAsync($"/api/v1/inferences?subject={WebUtility.UrlEncode(subject)}{(active is { } only ? $"&active={(only ? "true" : "false")}" : "")}");
        Assert.True(answer.Status == 200, answer.ToString());
        return answer.Items;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var path in _documents)
            await platform.Client.RemoveAsync(path);
    }
}
