using System.Text;
using System.Text.Json;
using IoT.Modules.Gateway.Ingest;
using Xunit;

namespace IoT.Tests.Gateway;

public sealed class ReadingParserFuzzTests(ITestOutputHelper output)
{
    [Fact]
    public void A_random_sound_reading_keeps_its_meaning()
    {
        var samples = new ReadingSamples(Seed());
        var parser = ReadingSamples.Parser();
        for (var i = 0; i < 3_000; i++)
        {
            var (json, payload) = samples.Reading();
            var batch = parser.ParseJson(Encoding.UTF8.GetBytes(json));
            Assert.Empty(batch.Rejected);
            var reading = Assert.Single(batch.Readings);

            Assert.Equal(payload, Encoding.UTF8.GetString(reading.Payload.Span));
            var expected = JsonDocument.Parse(json).RootElement;
            Assert.Equal(expected.GetProperty("data_type").GetString(), reading.DataType);
            Assert.Equal(Text(expected, "device_id"), reading.DeviceId);
            Assert.Equal(Text(expected, "message_id"), reading.MessageId);
            Assert.Equal(
                expected.TryGetProperty("timestamp", out var time) ? time.GetDateTimeOffset().UtcTicks / 10 : null,
                reading.Timestamp?.Ticks / 10);
        }
    }

    [Fact]
    public void No_damage_makes_it_throw_or_lets_through_what_is_not_sound()
    {
        var seed = Seed();
        var samples = new ReadingSamples(seed);
        var random = new Random(seed);
        var parser = ReadingSamples.Parser();
        int accepted = 0, refused = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var body = samples.Body();
            for (var damage = random.Next(1, 4); damage > 0; damage--)
                body = samples.Damaged(body);
            foreach (var batch in (ParsedBatch[])[parser.ParseJson(body), parser.ParseNdjson(body)])
            {
                accepted += batch.Readings.Count;
                refused += batch.Rejected.Count;
                Assert.All(batch.Readings, reading => AssertSound(reading, body));
                Assert.All(batch.Rejected, rejected => AssertReadable(rejected.Error, body));
            }
        }
        output.WriteLine($"{accepted} accepted, {refused} rejected");
        Assert.True(accepted > 1_000 && refused > 1_000, $"{accepted} accepted, {refused} rejected: the samples test nothing");
    }

    [Fact]
    public void Every_element_of_a_damaged_array_that_is_itself_untouched_is_kept()
    {
        var samples = new ReadingSamples(Seed());
        var parser = ReadingSamples.Parser();
        string[] malformed = ["{\"a\":NaN}", "{'a':1}", "{\"a\":1,}", "{\"a\":\"\\x\"}", "{\"a\" 1}", "{\"a\":01}", "{]", "nonsense", "", "\"", "{\"a\":\"\u0001\"}"];
        for (var i = 0; i < 2_000; i++)
        {
            string before = samples.Reading().Json, after = samples.Reading().Json, bad = malformed[i % malformed.Length];
            var batch = parser.ParseJson(Encoding.UTF8.GetBytes($"[{before},{bad},{after}]"));
            // An open quote takes the rest of the body with it.
            Assert.Equal(bad == "\"" ? [0] : [0, 2], batch.Readings.Select(r => r.Index));
            Assert.Equal(1, Assert.Single(batch.Rejected).Index);
        }
    }

    [Fact]
    public void Every_single_byte_cut_off_or_changed_is_survived()
    {
        var parser = ReadingSamples.Parser();
        var body = Encoding.UTF8.GetBytes(
            """[{"device_id":"d-1","timestamp":"2026-11-23T03:00:00.5+01:00","data_type":"t","payload":{"a":[1,{"b":"ü\u00fc"}]},"message_id":"m","priority":"high"}]""");
        for (var at = 0; at < body.Length; at++)
        {
            parser.ParseJson(body.AsMemory(0, at));
            for (var b = 0; b < 256; b++)
            {
                byte[] changed = [.. body[..at], (byte)b, .. body[(at + 1)..]];
                var batch = parser.ParseJson(changed);
                Assert.All(batch.Readings, reading => AssertSound(reading, changed));
                Assert.All(batch.Rejected, rejected => AssertReadable(rejected.Error, changed));
            }
        }
    }

    /// <summary>The framework's own parser is the second opinion, strict about UTF-8 and surrogates as soon as text is asked for.</summary>
    private static void AssertSound(ParsedReading reading, byte[] body)
    {
        try
        {
            using var payload = JsonDocument.Parse(reading.Payload, new JsonDocumentOptions { MaxDepth = PayloadRules.MaxDepth });
            Assert.Equal(JsonValueKind.Object, payload.RootElement.ValueKind);
            AssertSound(payload.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            Assert.Fail($"let through {Encoding.UTF8.GetString(reading.Payload.Span)} of {Convert.ToHexString(body)}: {e.Message}");
        }
        Assert.InRange(reading.DataType.EnumerateRunes().Count(), 1, 50);
        Assert.DoesNotContain(reading.DataType + reading.DeviceId + reading.MessageId, char.IsControl);
    }

    private static void AssertSound(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    Assert.DoesNotContain('\0', member.Name);
                    AssertSound(member.Value);
                }
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                    AssertSound(item);
                break;
            case JsonValueKind.String:
                Assert.DoesNotContain('\0', element.GetString()!);
                break;
            case JsonValueKind.Number:
                Assert.True(double.IsFinite(element.GetDouble()));
                break;
        }
    }

    private static void AssertReadable(string error, byte[] body)
    {
        Assert.Matches(@"^[^\p{Cc}]+: [^\p{Cc}]+$", error);
        // The last resort when the walk that explains finds nothing wrong: the two grammars would differ.
        Assert.False(error.Contains("is not valid JSON", StringComparison.Ordinal), $"unexplained: {error} in {Convert.ToHexString(body)}");
        Assert.DoesNotContain("LineNumber", error, StringComparison.Ordinal);
        Assert.InRange(error.Length, 10, 600);
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() : null;

    private int Seed()
    {
        var seed = Environment.GetEnvironmentVariable("IOT_TEST_SEED") is { } given
            ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture)
            : Random.Shared.Next();
        output.WriteLine($"seed {seed} (again with IOT_TEST_SEED={seed})");
        return seed;
    }
}
