using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Operations;

public sealed class HealthTests(SharedPlatform platform)
{
    [Fact]
    public async Task Liveness_is_open() => Assert.Equal(200, (await platform.Stranger.ReadAsync("/health/live")).Status);

    [Fact]
    public async Task Readiness_tells_strangers_nothing_but_ready()
    {
        foreach (var stranger in new[] { platform.Stranger, platform.As("nonsense"), platform.As((await platform.NewDeviceAsync()).Token) })
        {
            var answer = await stranger.ReadAsync("/health/ready");
            Assert.Equal(200, answer.Status);
            Assert.Equal("ready", answer.Json.GetProperty("status").GetString());
            Assert.DoesNotContain("PostgreSQL", answer.Text, StringComparison.OrdinalIgnoreCase);
            Assert.True(!answer.Json.TryGetProperty("components", out var components) || components.ValueKind == JsonValueKind.Null, answer.Text);
        }
    }

    [Fact]
    public async Task Readiness_shows_a_viewer_each_component()
    {
        var (_, key) = await platform.NewKeyAsync("viewer");
        var answer = await platform.As(key).ReadAsync("/health/ready");
        var components = answer.Json.GetProperty("components").EnumerateArray().ToDictionary(c => c.GetProperty("name").GetString()!, c => c.GetProperty("status").GetString());
        Assert.Equal("healthy", components["postgresql"]);
        Assert.Equal("healthy", components["mqtt"]);
        Assert.Equal("healthy", components["ingest"]);
    }

    [Theory]
    [InlineData("/metrics")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/docs")]
    public async Task Everything_else_wants_a_viewer(string path)
    {
        var device = await platform.NewDeviceAsync();
        Assert.Contains((await platform.Stranger.ReadAsync(path)).Status, new[] { 401, 302 });
        Assert.Equal(401, (await platform.As("nonsense").ReadAsync(path)).Status);
        Assert.Equal(403, (await platform.As(device.Token).ReadAsync(path)).Status);
        var (_, key) = await platform.NewKeyAsync("viewer");
        var answer = await platform.As(key).ReadAsync(path);
        Assert.Contains(answer.Status, new[] { 200, 301, 302 });
    }

    [Fact]
    public async Task Metrics_count_the_readings_that_came_in()
    {
        var before = await CountAsync();
        var device = await platform.NewDeviceAsync();
        await platform.As(device.Token).PostReadingAsync(string.Join("\n", Enumerable.Repeat("""{"data_type":"t","payload":{}}""", 100)), "application/x-ndjson");
        await Eventually.TrueAsync(async () => await CountAsync() >= before + 100, "the count of received readings over HTTP");

        async Task<double> CountAsync()
        {
            var metrics = await platform.Client.ReadAsync("/metrics");
            Assert.Equal("text/plain", metrics.ContentType);
            return metrics.Text.Split('\n')
                .Where(line => line.Contains("received", StringComparison.Ordinal) && line.Contains("\"http\"", StringComparison.Ordinal) && !line.StartsWith('#'))
                .Sum(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public async Task The_api_description_names_every_route()
    {
        var document = (await platform.Client.ReadAsync("/openapi/v1.json")).Json;
        Assert.StartsWith("3.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var routes = document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => $"{operation.Name.ToUpperInvariant()} {path.Name}")).ToHashSet();
        foreach (var expected in new[]
        {
            "POST /api/v1/data", "GET /api/v1/devices", "POST /api/v1/devices", "GET /api/v1/devices/{id}", "PATCH /api/v1/devices/{id}", "DELETE /api/v1/devices/{id}",
            "POST /api/v1/devices/{id}/token", "GET /api/v1/devices/{id}/latest", "GET /api/v1/devices/{id}/data", "GET /api/v1/people", "POST /api/v1/people",
            "DELETE /api/v1/people/{name}", "GET /api/v1/api-keys", "POST /api/v1/api-keys", "DELETE /api/v1/api-keys/{name}", "GET /health/live", "GET /health/ready",
        })
            Assert.Contains(expected, routes);

        var device = document.GetProperty("components").GetProperty("schemas").GetProperty("Device").GetProperty("properties");
        Assert.Contains(device.EnumerateObject(), member => member.Name == "last_seen_at");
    }

    [Fact]
    public async Task What_is_not_there_is_a_problem_too()
    {
        var answer = await platform.Client.ReadAsync("/api/v1/nothing");
        Assert.Equal(404, answer.Status);
        Assert.Equal("application/problem+json", answer.ContentType);
        Assert.Equal(405, (await platform.Client.RemoveAsync("/api/v1/devices")).Status);
    }
}
