using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>What the API answered.</summary>
internal sealed record Answer(int Status, string Text, HttpResponseHeaders Headers, string? ContentType)
{
    private JsonElement? _json;

    public JsonElement Json => _json ??= JsonSerializer.Deserialize<JsonElement>(Text);

    public int Accepted => Json.GetProperty("accepted").GetInt32();

    public IReadOnlyList<(int Index, string Error)> Rejected =>
        [.. Json.GetProperty("rejected").EnumerateArray().Select(r => (r.GetProperty("index").GetInt32(), r.GetProperty("error").GetString()!))];

    public IReadOnlyList<JsonElement> Items => [.. Json.GetProperty("items").EnumerateArray()];

    public string? NextCursor => Json.GetProperty("next_cursor").GetString();

    /// <summary>The stable type of a problem.</summary>
    public string Problem => ContentType == "application/problem+json" ? Json.GetProperty("type").GetString()! : $"no problem: {ContentType}";

    /// <summary>The fields that a problem complains about.</summary>
    public IReadOnlyList<string> Fields => [.. Json.GetProperty("errors").EnumerateObject().Select(e => e.Name)];

    public override string ToString() => $"{Status} {Text}";
}

/// <summary>Calls of the API, as a test reads them.</summary>
internal static class Api
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static Task<Answer> PostReadingAsync(this HttpClient client, string json, string? contentType = "application/json", string? encoding = null) =>
        client.PostReadingAsync(Encoding.UTF8.GetBytes(json), contentType, encoding);

    public static Task<Answer> PostReadingAsync(this HttpClient client, byte[] body, string? contentType = "application/json", string? encoding = null)
    {
        var content = new ByteArrayContent(body);
        if (contentType is not null)
            content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        if (encoding is not null)
            content.Headers.ContentEncoding.Add(encoding);
        return client.SendAsync(HttpMethod.Post, "/api/v1/data", content);
    }

    public static Task<Answer> PostJsonAsync(this HttpClient client, string path, object? body) => client.SendAsync(HttpMethod.Post, path, JsonContent.Create(body));

    public static Task<Answer> PatchJsonAsync(this HttpClient client, string path, string json) =>
        client.SendAsync(HttpMethod.Patch, path, new StringContent(json, Encoding.UTF8, "application/json"));

    public static Task<Answer> ReadAsync(this HttpClient client, string path, string? accept = null) => client.SendAsync(HttpMethod.Get, path, accept: accept);

    public static Task<Answer> RemoveAsync(this HttpClient client, string path) => client.SendAsync(HttpMethod.Delete, path);

    public static async Task<Answer> SendAsync(this HttpClient client, HttpMethod method, string path, HttpContent? content = null, string? accept = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (accept is not null)
            request.Headers.Accept.ParseAdd(accept);
        using var response = await client.SendAsync(request, Cancellation);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation), response.Headers, response.Content.Headers.ContentType?.MediaType);
    }

    /// <summary>All pages of a list, one after the other.</summary>
    public static async Task<List<JsonElement>> ReadAllAsync(this HttpClient client, string path, Func<int, Task>? afterPage = null)
    {
        var items = new List<JsonElement>();
        string? cursor = null;
        for (var page = 1; ; page++)
        {
            var answer = await client.ReadAsync(cursor is null ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}cursor={WebUtility.UrlEncode(cursor)}");
            Assert.Equal(200, answer.Status);
            items.AddRange(answer.Items);
            cursor = answer.NextCursor;
            if (cursor is null)
                return items;
            if (afterPage is not null)
                await afterPage(page);
        }
    }
}
