using System.Globalization;
using System.Text;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using Xunit;

namespace IoT.Tests.Gateway;

/// <summary>Now is 2026-11-23T04:00:00Z throughout.</summary>
public sealed class ReadingParserTests
{
    private const string Good = """{"device_id":"d1","data_type":"t","payload":{"a":1}}""";

    [Fact]
    public void A_whole_reading_comes_out_as_it_went_in()
    {
        var reading = One("""
            {"device_id":"plant-1:a_b.c","timestamp":"2026-11-23T03:59:58.1234567Z","data_type":"温度",
             "payload":{"t": 23.5, "nested":{"x":[1,"\ud83c\udf21"]}},"message_id":"m-1","priority":"high","other":[{}]}
            """);
        Assert.Equal("plant-1:a_b.c", reading.DeviceId);
        Assert.Null(reading.Device);
        Assert.Equal(new DateTime(2026, 11, 23, 3, 59, 58, 123, 456, DateTimeKind.Utc), reading.Timestamp);
        Assert.Equal(DateTimeKind.Utc, reading.Timestamp!.Value.Kind);
        Assert.Equal("温度", reading.DataType);
        Assert.Equal("""{"t": 23.5, "nested":{"x":[1,"\ud83c\udf21"]}}""", Encoding.UTF8.GetString(reading.Payload.Span));
        Assert.Equal("m-1", reading.MessageId);
        Assert.Equal(ReadingPriority.High, reading.Priority);
    }

    [Fact]
    public void What_is_optional_may_be_left_out_or_null()
    {
        ParsedReading[] readings =
        [
            One("""{"data_type":"t","payload":{}}"""),
            One("""{"data_type":"t","payload":{},"device_id":null,"timestamp":null,"message_id":null,"priority":null}"""),
        ];
        Assert.All(readings, r => Assert.Equal((null, null, null, ReadingPriority.Normal), (r.DeviceId, r.Timestamp, r.MessageId, r.Priority)));
    }

    [Theory]
    [InlineData("""{"data_type":"t"}""", "payload: is required")]
    [InlineData("""{"data_type":"t","payload":null}""", "payload: is required")]
    [InlineData("""{"data_type":"t","payload":[]}""", "payload: must be a JSON object, not an array")]
    [InlineData("""{"data_type":"t","payload":3}""", "payload: must be a JSON object, not a number")]
    [InlineData("""{"data_type":"t","payload":"x"}""", "payload: must be a JSON object, not text")]
    [InlineData("""{"payload":{}}""", "data_type: is required")]
    [InlineData("""{"data_type":null,"payload":{}}""", "data_type: is required")]
    [InlineData("""{"data_type":true,"payload":{}}""", "data_type: must be text, not a truth value")]
    [InlineData("""{"device_id":5,"data_type":"t","payload":{}}""", "device_id: must be text, not a number")]
    [InlineData("""{"timestamp":12,"data_type":"t","payload":{}}""", "timestamp: must be text, not a number")]
    [InlineData("""{"message_id":{},"data_type":"t","payload":{}}""", "message_id: must be text, not an object")]
    [InlineData("""{"priority":[1],"data_type":"t","payload":{}}""", "priority: must be text, not an array")]
    [InlineData("""{"priority":"urgent","data_type":"t","payload":{}}""", "priority: must be \"high\" or \"normal\"")]
    [InlineData("""{"data_type":"t","payload":{},"data_type":"u"}""", "data_type: given twice")]
    [InlineData("""{"data_type":"t","payload":{},"p\u0061yload":{}}""", "payload: given twice")]
    [InlineData("""{"device_id":null,"data_type":"t","payload":{},"device_id":"a"}""", "device_id: given twice")]
    [InlineData("""{"Data_Type":"t","payload":{}}""", "data_type: is required")]
    public void A_member_that_is_missing_twice_there_or_of_the_wrong_type_is_named(string json, string error) => AssertRefused(json, error);

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("é")]
    [InlineData("a\\u0000")]
    [InlineData("a\\n")]
    [InlineData("\\ud800")]
    public void A_device_id_outside_the_rule_is_refused_with_the_rule(string id) =>
        AssertRefused($$$"""{"device_id":"{{{id}}}","data_type":"t","payload":{}}""", "device_id: must be 1 to 128 of A-Z a-z 0-9 . _ : -");

    [Fact]
    public void Lengths_count_characters_whatever_their_bytes()
    {
        Assert.Equal(128, One($$$"""{"device_id":"{{{new string('d', 128)}}}","data_type":"t","payload":{}}""").DeviceId!.Length);
        AssertRefused($$$"""{"device_id":"{{{new string('d', 129)}}}","data_type":"t","payload":{}}""", "device_id: must be");
        AssertRefused($$$"""{"device_id":"{{{Repeat("\\u0064", 129)}}}","data_type":"t","payload":{}}""", "device_id: must be");

        foreach (var character in (string[])["a", "ü", "温", "🌡", "\\ud83c\\udf21", "\\u00fc", "\\\\"])
        {
            One($$$"""{"data_type":"{{{Repeat(character, 50)}}}","message_id":"{{{Repeat(character, 128)}}}","payload":{"{{{Repeat(character, 256)}}}":1}}""");
            AssertRefused($$$"""{"data_type":"{{{Repeat(character, 51)}}}","payload":{}}""", "data_type: must be 1 to 50 characters");
            AssertRefused($$$"""{"data_type":"t","payload":{},"message_id":"{{{Repeat(character, 129)}}}"}""", "message_id: must be 1 to 128 characters");
            AssertRefused($$$"""{"data_type":"t","payload":{"{{{Repeat(character, 257)}}}":1}}""", "payload.", "has 257 characters, at most 256");
        }
        AssertRefused($$$"""{"data_type":"{{{Repeat("\\u0061", 1_000_000)}}}","payload":{}}""", "data_type: must be");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\\n")]
    [InlineData("a\\u007f")]
    [InlineData("\\u0085")]
    [InlineData("\\u0000")]
    [InlineData("\\udc00")]
    public void A_data_type_or_message_id_that_is_empty_or_holds_control_characters_is_refused(string text)
    {
        AssertRefused($$$"""{"data_type":"{{{text}}}","payload":{}}""", "data_type: ");
        AssertRefused($$$"""{"data_type":"t","payload":{},"message_id":"{{{text}}}"}""", "message_id: ");
    }

    [Theory]
    [InlineData("2026-11-23T03:00:00Z", "2026-11-23T03:00:00.000000")]
    [InlineData("2026-11-23t03:00:00z", "2026-11-23T03:00:00.000000")]
    [InlineData("2026-11-23 03:00:00.5+00:00", "2026-11-23T03:00:00.500000")]
    [InlineData("2026-11-23T03:00:00.1234569999999999999999999999999999Z", "2026-11-23T03:00:00.123456")]
    [InlineData("2026-11-23T01:30:00.000001-02:30", "2026-11-23T04:00:00.000001")]
    [InlineData("2026-11-23T03:00:00-00:00", "2026-11-23T03:00:00.000000")]
    [InlineData("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000")]
    [InlineData("2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000000")]
    [InlineData("2026-11-23\\u005403:00:00\\u005a", "2026-11-23T03:00:00.000000")]
    public void A_timestamp_is_taken_to_utc_and_cut_to_the_microsecond(string text, string utc) =>
        Assert.Equal(utc, TimeOf(text)!.Value.ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture));

    [Theory]
    [InlineData("2026-11-23T03:00:00", "has no offset")]
    [InlineData("2026-11-23T03:00:00.123", "has no offset")]
    [InlineData("2026-12-31T23:59:60Z", "leap second")]
    [InlineData("2026-11-23T03:00:00+24:00", "offset from UTC outside")]
    [InlineData("2026-11-23T03:00:00+00:60", "offset from UTC outside")]
    [InlineData("2026-02-29T03:00:00Z", "does not exist")]
    [InlineData("2026-13-01T03:00:00Z", "does not exist")]
    [InlineData("2026-00-01T03:00:00Z", "does not exist")]
    [InlineData("2026-11-00T03:00:00Z", "does not exist")]
    [InlineData("2026-11-23T24:00:00Z", "does not exist")]
    [InlineData("2026-11-23T03:60:00Z", "does not exist")]
    [InlineData("2026-11-23T03:00:61Z", "does not exist")]
    [InlineData("0000-01-01T00:00:00Z", "years 0001 to 9999")]
    [InlineData("0001-01-01T00:00:00+01:00", "years 0001 to 9999")]
    [InlineData("9999-12-31T23:59:59.999999-01:00", "years 0001 to 9999")]
    [InlineData("", "RFC 3339")]
    [InlineData("2026-11-23", "RFC 3339")]
    [InlineData("2026-11-23T03:00Z", "RFC 3339")]
    [InlineData("2026-11-23T03:00:00.Z", "RFC 3339")]
    [InlineData("2026-11-23T03:00:00,5Z", "RFC 3339")]
    [InlineData("2026-11-23T03:00:00+0100", "RFC 3339")]
    [InlineData("2026-11-23T03:00:00Z ", "RFC 3339")]
    [InlineData("2026-11-23T03:00:00ZZ", "RFC 3339")]
    [InlineData(" 2026-11-23T03:00:00Z", "RFC 3339")]
    [InlineData("2026-11-23X03:00:00Z", "RFC 3339")]
    [InlineData("2026-11-23T-3:00:00Z", "RFC 3339")]
    [InlineData("+026-11-23T03:00:00Z", "RFC 3339")]
    [InlineData("２０２６-11-23T03:00:00Z", "RFC 3339")]
    [InlineData("1763870400", "RFC 3339")]
    [InlineData("2026-11-23T03:00:00\\u0000", "must not hold")]
    public void A_timestamp_that_is_none_says_why(string text, string why) =>
        AssertRefused($$$"""{"timestamp":"{{{text}}}","data_type":"t","payload":{}}""", "timestamp: ", why);

    [Fact]
    public void A_timestamp_outside_the_allowed_range_is_told_the_range()
    {
        Assert.NotNull(TimeOf("2026-11-24T04:00:00Z"));
        Assert.NotNull(TimeOf("2021-11-23T04:00:00Z"));
        AssertRefused("""{"timestamp":"2026-11-24T04:00:00.000001Z","data_type":"t","payload":{}}""",
            "timestamp: ", "too far ahead", "2021-11-23T04:00:00Z (1826 days ago)", "2026-11-24T04:00:00Z (24 hours ahead)");
        AssertRefused("""{"timestamp":"2021-11-23T03:59:59.999999Z","data_type":"t","payload":{}}""", "timestamp: ", "too old", "2021-11-23T04:00:00Z");
        AssertRefused("""{"timestamp":"0001-01-01T00:00:00Z","data_type":"t","payload":{}}""", "timestamp: 0001-01-01T00:00:00Z is too old");

        var narrow = ReadingSamples.Parser(new GatewayOptions { MaxReadingAgeDays = 1, MaxReadingAheadHours = 0 });
        var batch = narrow.ParseJson("""{"timestamp":"2026-11-22T03:00:00Z","data_type":"t","payload":{}}"""u8.ToArray());
        Assert.Contains("too old", Assert.Single(batch.Rejected).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1e308")]
    [InlineData("-1.7976931348623157e308")]
    [InlineData("1e-400")]
    [InlineData("0e308")]
    [InlineData("1E+0000000000000000005")]
    [InlineData("-0.0")]
    public void A_number_within_a_double_passes(string literal) => One(PayloadOf($$$"""{"a":{{{literal}}}}"""));

    [Theory]
    [InlineData("NaN", "NaN is no JSON number")]
    [InlineData("-Infinity", "-Infinity is no JSON number")]
    [InlineData("Infinity", "Infinity is no JSON number")]
    [InlineData("1e200000", "the number 1e200000 is out of range")]
    [InlineData("1e309", "out of range")]
    [InlineData("1.8e308", "out of range")]
    [InlineData("-1e-401", "out of range")]
    [InlineData("0e309", "out of range")]
    [InlineData("1e99999999999999999999", "out of range")]
    [InlineData("1e-99999999999999999999", "out of range")]
    [InlineData("01", "not written as JSON writes numbers")]
    [InlineData("+1", "not written as JSON writes numbers")]
    [InlineData(".5", "not written as JSON writes numbers")]
    [InlineData("5.", "not written as JSON writes numbers")]
    [InlineData("1e", "not written as JSON writes numbers")]
    [InlineData("-", "not written as JSON writes numbers")]
    [InlineData("0x1F", "not written as JSON writes numbers")]
    public void A_number_that_is_none_or_beyond_a_double_is_refused_with_its_path(string literal, string why) =>
        AssertRefused(PayloadOf($$$"""{"a":{"temperature":[0,{{{literal}}}]}}"""), "payload.a.temperature[1]: ", why);

    [Fact]
    public void A_number_may_have_a_hundred_characters_and_is_shown_short()
    {
        One(PayloadOf($$$"""{"a":{{{new string('9', 100)}}}}"""));
        AssertRefused(PayloadOf($$$"""{"a":{{{new string('9', 101)}}}}"""), "payload.a: the number 999999999999999999999999… has 101 characters, at most 100");
    }

    [Theory]
    [InlineData("\\u0000", "must not hold \\u0000")]
    [InlineData("x\\\\\\u0000", "must not hold \\u0000")]
    [InlineData("\\ud800", "half a surrogate pair")]
    [InlineData("\\ud800x", "half a surrogate pair")]
    [InlineData("\\ud800\\n", "half a surrogate pair")]
    [InlineData("\\udc00", "half a surrogate pair")]
    [InlineData("\\ud800\\ud800", "half a surrogate pair")]
    [InlineData("\\uDC00\\uD800", "half a surrogate pair")]
    [InlineData("\u0001", "control character")]
    [InlineData("a\nb", "control character")]
    [InlineData("a\tb", "control character")]
    [InlineData("\\x", "no JSON escape")]
    [InlineData("\\u12g4", "four hexadecimal digits")]
    public void Text_that_jsonb_refuses_is_refused_with_its_path_in_values_and_names(string text, string why)
    {
        AssertRefused(PayloadOf($$$"""{"a":{"b":"{{{text}}}"}}"""), "payload.a.b: ", why);
        AssertRefused(PayloadOf($$$"""{"a":{"{{{text}}}":1}}"""), "payload.a", why);
    }

    [Theory]
    [InlineData("\\\\u0000")]
    [InlineData("\\ud83c\\udf21\\uD83C\\uDF21")]
    [InlineData("\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001")]
    [InlineData("\u007f\u2028\uFFFE")]
    public void Text_that_jsonb_takes_passes(string text) => One(PayloadOf($$$"""{"{{{text}}}":"{{{text}}}"}"""));

    [Theory]
    [InlineData(new byte[] { 0xC0, 0x80 })]
    [InlineData(new byte[] { 0xE0, 0x80, 0xAF })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0xF4, 0x90, 0x80, 0x80 })]
    [InlineData(new byte[] { 0xF0, 0x9F, 0x8C })]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0xFF })]
    public void Bytes_that_are_not_utf8_are_refused_with_their_path_and_their_neighbours_kept(byte[] bytes)
    {
        var filler = new string('ü', 300);
        byte[] element = [.. Bytes($$$"""{"data_type":"t","payload":{"{{{filler}}}":1,"a":{"b":"x"""), .. bytes, .. "\"}}}"u8];
        byte[] name = [.. "{\"data_type\":\"t\",\"payload\":{\"a\":{\"b"u8, .. bytes, .. "\":1}}}"u8];
        byte[] elsewhere = [.. "{\"data_type\":\"t\",\"payload\":{},\"unknown\":\""u8, .. bytes, .. "\"}"u8];
        byte[] body = [.. Bytes($"[{Good},"), .. element, .. ","u8, .. name, .. ","u8, .. elsewhere, .. ",3,"u8, .. bytes, .. Bytes($",{Good}]")];
        var batch = ReadingSamples.Parser().ParseJson(body);
        Assert.Equal([0, 6], batch.Readings.Select(r => r.Index));
        Assert.Equal([1, 2, 3, 4, 5], batch.Rejected.Select(r => r.Index));
        var at = body.AsSpan().IndexOf(bytes);
        Assert.Equal($"payload.a.b: holds bytes that are not UTF-8, at byte {at}", batch.Rejected[0].Error);
        Assert.StartsWith("payload.a.b\uFFFD", batch.Rejected[1].Error, StringComparison.Ordinal);
        Assert.StartsWith("unknown: holds bytes that are not UTF-8", batch.Rejected[2].Error, StringComparison.Ordinal);
        Assert.StartsWith("reading: must be a JSON object", batch.Rejected[4].Error, StringComparison.Ordinal);
        Assert.StartsWith("payload.a.b: ", Assert.Single(ReadingSamples.Parser().ParseJson(element).Rejected).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_payload_is_at_most_32_levels_deep()
    {
        One(PayloadOf(Repeat("{\"a\":", 31) + "{}" + Repeat("}", 31)));
        One(PayloadOf("{\"a\":" + Repeat("[", 31) + Repeat("]", 31) + "}"));
        AssertRefused(PayloadOf(Repeat("{\"a\":", 32) + "{}" + Repeat("}", 32)), "payload.a.a.a", "nested deeper than 32 levels");
        AssertRefused(PayloadOf("{\"a\":" + Repeat("[", 32) + Repeat("]", 32) + "}"), "payload.a[0][0]", "nested deeper than 32 levels");
        AssertRefused(PayloadOf(Repeat("{\"" + new string('n', 200) + "\":", 40) + "1"), "payload.nnnn", "…: it is nested deeper");
    }

    [Fact]
    public void A_million_brackets_are_refused_wherever_they_stand()
    {
        foreach (var brackets in (string[])[new string('[', 1_000_000), Repeat("{\"a\":", 1_000_000)])
        {
            foreach (var json in (string[])[brackets, "[" + brackets, PayloadOf("{\"a\":" + brackets), "{\"x\":" + brackets, $"[{Good},{PayloadOf(brackets)}"])
                Assert.NotEmpty(Parse(json).Rejected);
        }
        var closed = new string('[', 1_000_000) + new string(']', 1_000_000);
        var batch = Parse($"[{Good},{PayloadOf($$$"""{"a":{{{closed}}}}""")},{Good}]");
        Assert.Equal([0, 2], batch.Readings.Select(r => r.Index));
    }

    [Fact]
    public void A_payload_over_the_limit_is_refused_and_its_neighbours_kept()
    {
        var parser = ReadingSamples.Parser(new GatewayOptions { MaxReadingBytes = 1024 });
        string Sized(int bytes) => PayloadOf($$$"""{"a":"{{{new string('x', bytes - 8)}}}"}""");
        var batch = parser.ParseJson(Bytes($"[{Sized(1024)},{Sized(1025)},{Good}]"));
        Assert.Equal([0, 2], batch.Readings.Select(r => r.Index));
        Assert.Equal("payload: is 1025 bytes long, at most 1024 are allowed", Assert.Single(batch.Rejected).Error);

        // jsonb has limits of its own, however wide the setting.
        var wide = ReadingSamples.Parser(new GatewayOptions { MaxReadingBytes = 64 * 1024 * 1024 });
        Assert.Single(wide.ParseJson(Bytes(Sized(16 * 1024 * 1024))).Readings);
        Assert.Contains("at most 16777216 are", Assert.Single(wide.ParseJson(Bytes(Sized(16 * 1024 * 1024 + 1))).Rejected).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Known_devices_and_data_types_that_come_again_are_not_made_anew()
    {
        var devices = new DeviceDirectory();
        var known = devices.FindOrAdd("d1");
        var batch = ReadingSamples.Parser(devices: devices).ParseJson(Bytes($$$"""[{{{Good}}},{{{Good}}},{"device_id":"d2","data_type":"u","payload":{}}]"""));
        Assert.All(batch.Readings.Take(2), r => Assert.True(ReferenceEquals(known, r.Device) && ReferenceEquals(known.Id, r.DeviceId)));
        Assert.Same(batch.Readings[0].DataType, batch.Readings[1].DataType);
        Assert.Equal(("d2", null), (batch.Readings[2].DeviceId, batch.Readings[2].Device));
        Assert.Null(devices.Find("d2"));
    }

    [Fact]
    public void Made_up_texts_push_others_out_of_the_cache_instead_of_filling_memory()
    {
        var cache = new TextCache(slots: 16);
        var texts = Enumerable.Range(0, 1_000).Select(i => cache.Get($"made up {i}")).ToArray();
        Assert.Equal("made up 7", texts[7]);
        Assert.InRange(texts.Reverse().Count(text => ReferenceEquals(text, cache.Get(text))), 1, 16);
        Assert.Same(cache.Get("again"), cache.Get("again"));
    }

    [Fact]
    public void A_single_reading_of_three_metrics_allocates_little_more_than_its_list()
    {
        var devices = new DeviceDirectory();
        devices.FindOrAdd("d1");
        var parser = ReadingSamples.Parser(devices: devices);
        var body = """{"device_id":"d1","timestamp":"2026-11-23T03:00:00Z","data_type":"climate","payload":{"t":23.5,"h":40.1,"p":1013}}"""u8.ToArray();
        for (var i = 0; i < 100; i++)
            parser.ParseJson(body);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
            parser.ParseJson(body);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 1_000, 0, 256);

        byte[] array = [.. "["u8, .. Enumerable.Range(0, 1_000).SelectMany(i => i == 0 ? body : [(byte)',', .. body]), .. "]"u8];
        parser.ParseJson(array);
        before = GC.GetAllocatedBytesForCurrentThread();
        parser.ParseJson(array);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 1_000, 0, 128);
    }

    internal static string PayloadOf(string payload) => $$$"""{"data_type":"t","payload":{{{payload}}}}""";

    internal static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    internal static string Repeat(string text, int times) => new StringBuilder().Insert(0, text, times).ToString();

    internal static ParsedBatch Parse(string json) => ReadingSamples.Parser().ParseJson(Bytes(json));

    private static DateTime? TimeOf(string timestamp) => One($$$"""{"timestamp":"{{{timestamp}}}","data_type":"t","payload":{}}""").Timestamp;

    private static ParsedReading One(string json)
    {
        var batch = Parse(json);
        Assert.Empty(batch.Rejected);
        return Assert.Single(batch.Readings);
    }

    /// <summary>Alone, as a line and in the middle of an array, whose other elements stand.</summary>
    private static void AssertRefused(string json, string start, params string[] parts)
    {
        var alone = Parse(json);
        Assert.Empty(alone.Readings);
        AssertError(Assert.Single(alone.Rejected), 0);
        if (!json.Contains('\n', StringComparison.Ordinal))
            AssertError(Assert.Single(ReadingSamples.Parser().ParseNdjson(Bytes(json)).Rejected), 0);
        if (json.Count(c => c == '{') != json.Count(c => c == '}'))
            return;
        var among = Parse($"[{Good},{json},{Good}]");
        Assert.Equal([0, 2], among.Readings.Select(r => r.Index));
        AssertError(Assert.Single(among.Rejected), 1);

        void AssertError(RejectedReading rejected, int index)
        {
            Assert.Equal(index, rejected.Index);
            Assert.StartsWith(start, rejected.Error, StringComparison.Ordinal);
            Assert.All(parts, part => Assert.Contains(part, rejected.Error, StringComparison.Ordinal));
        }
    }
}
