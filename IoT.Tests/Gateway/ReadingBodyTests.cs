using System.Diagnostics;
using System.Text;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Ingest;
using Xunit;
using static IoT.Tests.Gateway.ReadingParserTests;

namespace IoT.Tests.Gateway;

public sealed class ReadingBodyTests
{
    private const string Good = """{"device_id":"d1","data_type":"t","payload":{"a":1}}""";

    [Theory]
    [InlineData("", "body: is empty")]
    [InlineData(" \r\n\t", "body: is empty")]
    [InlineData("\uFEFF", "body: is empty")]
    [InlineData("hello", "body: must be a JSON object or an array of objects, but begins with h at byte 0")]
    [InlineData(" 3", "but begins with 3 at byte 1")]
    [InlineData("null", "body: must be")]
    [InlineData("{", "reading: it ends in the middle, at byte 1")]
    [InlineData("{\"data_type\":\"t\",\"payload\":{\"a\":1", "payload.a: it ends in the middle, at byte 33")]
    [InlineData("{\"data_type\":\"t", "data_type: its text is not closed, at byte 15")]
    [InlineData("{'data_type':'t'}", "reading: member names must stand in double quotes, at byte 1")]
    [InlineData("{\"data_type\":'t'}", "data_type: text must stand in double quotes, at byte 13")]
    [InlineData("{\"data_type\":t}", "data_type: t is no JSON value: text must stand in double quotes, at byte 13")]
    [InlineData("{\"data_type\":}", "data_type: a value is missing, at byte 13")]
    [InlineData("{\"data_type\" 1}", "data_type: a colon is expected after the name, not 1, at byte 13")]
    [InlineData("{\"data_type\":\"t\" \"a\":1}", "data_type: a comma or } is expected, not \", at byte 17")]
    [InlineData("{\"payload\":{\"a\":[1 2]}}", "payload.a[0]: a comma or ] is expected, not 2, at byte 19")]
    [InlineData("{\"payload\":{\"a\":[1,]}}", "payload.a[1]: a value is missing, at byte 19")]
    [InlineData("{\"payload\":{\"a\":1,}}", "payload: a comma stands before the closing }, at byte 18")]
    [InlineData("{\"payload\":{\"a\":[}}", "payload.a[0]: a value is missing, at byte 17")]
    [InlineData("{\"payload\":{/**/}}", "payload: a member name in double quotes is expected, not /, at byte 12")]
    [InlineData("{\"payload\":{\"a.b\":{\"\":x}}}", "payload.a%2Eb.\"\": x is no JSON value")]
    public void A_body_that_is_no_json_says_what_and_where(string body, string error)
    {
        var batch = Parse(body);
        Assert.Empty(batch.Readings);
        var rejected = Assert.Single(batch.Rejected);
        Assert.Equal(0, rejected.Index);
        Assert.Contains(error, rejected.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData(",")]
    [InlineData("]")]
    [InlineData("x")]
    public void A_single_reading_with_something_after_it_is_refused_whole(string garbage)
    {
        var batch = Parse($"{Good} {garbage}");
        Assert.Empty(batch.Readings);
        Assert.Equal($"reading: {garbage[0]} stands after its end, at byte {Good.Length + 1}", Assert.Single(batch.Rejected).Error);
    }

    [Theory]
    [InlineData("]", "body: ] stands after the array's end")]
    [InlineData(" {}", "body: { stands after the array's end")]
    [InlineData(" x", "body: x stands after the array's end")]
    public void What_stands_after_an_array_is_one_rejected_entry_and_its_elements_stand(string garbage, string error)
    {
        var batch = Parse($"[{Good},{Good}]{garbage}");
        Assert.Equal(2, batch.Readings.Count);
        var rejected = Assert.Single(batch.Rejected);
        Assert.Equal(2, rejected.Index);
        Assert.StartsWith(error, rejected.Error, StringComparison.Ordinal);
        Assert.Single(Parse("[]x").Rejected);
    }

    [Fact]
    public void An_empty_array_holds_nothing_and_an_empty_body_is_one_rejected_entry()
    {
        Assert.Equal((0, false), (Parse(" [ ] ").Count, Parse("[]").TooMany));
        Assert.Equal(1, Parse("").Count);
        Assert.Equal("body: is empty", Assert.Single(ReadingSamples.Parser().ParseNdjson(Bytes("\n \r\n\n")).Rejected).Error);
    }

    [Theory]
    [InlineData("3", "reading: must be a JSON object, but begins with 3 at byte 54")]
    [InlineData("[[],{}]", "reading: must be a JSON object, but begins with [")]
    [InlineData("\"a,]b\\\",\"", "reading: must be a JSON object, but begins with \"")]
    [InlineData("", "reading: is missing before , at byte 54")]
    [InlineData("{\"a\":NaN}", "a: NaN is no JSON number: only finite numbers are, at byte 59")]
    [InlineData("{\"a\":1,}", "reading: a comma stands before the closing }")]
    [InlineData("{'a':'b,c'}", "reading: member names must stand in double quotes, at byte 55")]
    [InlineData("{\"a\":\"\\q,]}\"}", "a: its text holds \\ before q")]
    [InlineData("{\"a\":[1,2}", "a[1]: a comma or ] is expected, not }")]
    [InlineData("{\"a\":1}}", "reading: } stands after its end")]
    [InlineData("{\"data_type\":\"x\",\"payload\":{}} {\"data_type\":\"x\",\"payload\":{}}", "reading: { stands after its end")]
    [InlineData("nonsense", "reading: must be a JSON object, but begins with n")]
    public void One_bad_element_costs_the_others_nothing(string bad, string error)
    {
        var unclosed = bad.Contains("[1,2}", StringComparison.Ordinal);
        var batch = Parse($"[{Good},{bad},{Good}{(unclosed ? "]" : "")}]");
        Assert.Equal(unclosed ? [0] : [0, 2], batch.Readings.Select(r => r.Index));
        Assert.Equal(1, batch.Rejected[0].Index);
        Assert.Contains(error, batch.Rejected[0].Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Several_bad_elements_are_each_told_their_index_and_field()
    {
        var batch = Parse($$$"""[{"device_id":5,"data_type":"t","payload":{}},{{{Good}}},{"data_type":"t"},{{{Good}}},{"data_type":"t","payload":{"x":1e999}}]""");
        Assert.Equal([1, 3], batch.Readings.Select(r => r.Index));
        Assert.Equal([(0, "device_id"), (2, "payload"), (4, "payload.x")], batch.Rejected.Select(r => (r.Index, r.Error.Split(':')[0])));
        Assert.Equal(5, batch.Count);
    }

    [Theory]
    [InlineData("{\"data_type\":\"t\",\"payl", "body: ends before the reading that begins at byte 54 does")]
    [InlineData("{\"data_type\":\"t\",\"payload\":{\"a\":", "payload.a: it ends in the middle")]
    [InlineData("[", "body: ends before the reading that begins at byte 54 does")]
    [InlineData("\"", "body: ends before the reading that begins at byte 54 does")]
    [InlineData("\"\\", "body: ends before the reading that begins at byte 54 does")]
    [InlineData("12", "body: ends before the reading that begins at byte 54 does")]
    [InlineData("", "body: ends at byte 54, where a reading is expected")]
    public void Where_an_array_is_cut_off_what_came_before_is_kept_and_the_rest_is_one_entry(string rest, string error)
    {
        var batch = Parse($"[{Good},{rest}");
        Assert.Equal(0, Assert.Single(batch.Readings).Index);
        var rejected = Assert.Single(batch.Rejected);
        Assert.Equal(1, rejected.Index);
        Assert.Contains(error, rejected.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_array_that_is_not_closed_keeps_its_whole_elements()
    {
        var batch = Parse($"[{Good},{Good} ");
        Assert.Equal(2, batch.Readings.Count);
        Assert.Equal(new RejectedReading(2, $"body: ends at byte {2 * Good.Length + 3}, before the array is closed"), Assert.Single(batch.Rejected));
    }

    [Fact]
    public void A_comma_too_many_is_one_rejected_entry_each()
    {
        var batch = Parse($"[,{Good},,{Good},]");
        Assert.Equal([1, 3], batch.Readings.Select(r => r.Index));
        Assert.Equal([0, 2, 4], batch.Rejected.Select(r => r.Index));
    }

    [Fact]
    public void An_array_over_the_limit_is_too_many_and_nothing_of_it_is_kept()
    {
        var parser = ReadingSamples.Parser(new GatewayOptions { MaxBatchReadings = 3 });
        Assert.Equal(3, parser.ParseJson(Bytes($"[{Good},{Good},{Good}]")).Readings.Count);
        var batch = parser.ParseJson(Bytes($"[{Good},{Good},3,{Good}]"));
        Assert.Equal((true, 0, 0), (batch.TooMany, batch.Count, batch.Rejected.Count));
    }

    [Fact]
    public void A_million_elements_are_too_many_at_once_and_in_little_memory()
    {
        var body = Bytes("[" + Repeat("1,", 1_000_000) + "1]");
        var parser = ReadingSamples.Parser();
        parser.ParseJson(body);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(parser.ParseJson(body).TooMany);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8_000_000);
    }

    [Fact]
    public void Ten_thousand_malformed_elements_take_no_more_than_a_moment()
    {
        var body = Bytes("[" + string.Join(",", Enumerable.Repeat("{\"data_type\":\"t\",\"payload\":{\"temperature\":NaN}}", 9_999)) + "," + Good + "]");
        var parser = ReadingSamples.Parser();
        var clock = Stopwatch.StartNew();
        var batch = parser.ParseJson(body);
        Assert.InRange(clock.ElapsedMilliseconds, 0, 2_000);
        Assert.Equal((9_999, 1), (batch.Rejected.Count, batch.Readings.Count));
        Assert.All(batch.Rejected, r => Assert.StartsWith("payload.temperature: NaN is no JSON number", r.Error, StringComparison.Ordinal));
    }

    [Fact]
    public void Lines_are_numbered_without_the_blank_ones()
    {
        var batch = ReadingSamples.Parser().ParseNdjson(Bytes($"\n{Good}\r\n \t\r\nbad\n\n{Good}  \n[{Good}]\n{Good}{Good}\n{{\"a\":\n{Good}"));
        Assert.Equal([0, 2, 6], batch.Readings.Select(r => r.Index));
        Assert.Equal(
            [
                (1, "reading: a line must be one JSON object, but begins with b"),
                (3, "reading: a line must be one JSON object, but begins with ["),
                (4, $"reading: {{ stands after its end, at byte {Good.Length}"),
                (5, "a: it ends in the middle, at byte 5"),
            ],
            batch.Rejected.Select(r => (r.Index, r.Error)));
    }

    [Fact]
    public void A_line_that_is_not_utf8_costs_the_others_nothing()
    {
        byte[] body = [.. Bytes(Good), .. "\n{\"data_type\":\""u8, 0xFF, .. "\",\"payload\":{}}\n"u8, .. Bytes(Good)];
        var batch = ReadingSamples.Parser().ParseNdjson(body);
        Assert.Equal([0, 2], batch.Readings.Select(r => r.Index));
        Assert.Equal(new RejectedReading(1, "data_type: holds bytes that are not UTF-8, at byte 14"), Assert.Single(batch.Rejected));
    }

    [Fact]
    public void A_hundred_thousand_lines_pass_and_one_more_is_too_many()
    {
        var lines = Repeat("{\"data_type\":\"t\",\"payload\":{}}\n\n", ReadingParser.MaxLines);
        Assert.Equal(ReadingParser.MaxLines, ReadingSamples.Parser().ParseNdjson(Bytes(lines)).Readings.Count);
        var over = ReadingSamples.Parser().ParseNdjson(Bytes(lines + "x"));
        Assert.Equal((true, 0), (over.TooMany, over.Count));
    }

    [Fact]
    public void A_byte_order_mark_is_skipped_and_counts_in_offsets()
    {
        Assert.Single(Parse("\uFEFF" + Good).Readings);
        Assert.Equal(2, Parse($"\uFEFF [{Good},{Good}]").Readings.Count);
        Assert.Equal(2, ReadingSamples.Parser().ParseNdjson(Bytes($"\uFEFF{Good}\n{Good}")).Readings.Count);
        Assert.EndsWith("at byte 3", Assert.Single(Parse("\uFEFFx").Rejected).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Utf16_and_utf32_are_recognised()
    {
        foreach (var encoding in (Encoding[])[Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32, new UTF32Encoding(true, true)])
        {
            foreach (var body in (byte[][])[encoding.GetBytes(Good), [.. encoding.GetPreamble(), .. encoding.GetBytes(Good)]])
            {
                Assert.Contains("send UTF-8", Assert.Single(ReadingSamples.Parser().ParseJson(body).Rejected).Error, StringComparison.Ordinal);
                Assert.Contains("send UTF-8", Assert.Single(ReadingSamples.Parser().ParseNdjson(body).Rejected).Error, StringComparison.Ordinal);
            }
        }
    }
}
