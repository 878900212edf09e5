using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Http;

/// <summary>What must not get in, alone and between two good readings.</summary>
public sealed class BadInputTests(SharedPlatform platform)
{
    /// <summary>What is wrong, the element, and the field that the answer names.</summary>
    public static TheoryData<string, string, string> Bad => new()
    {
        { "no object", "17", "reading" },
        { "text", "\"reading\"", "reading" },
        { "null", "null", "reading" },
        { "not JSON", "{\"data_type\" \"t\"}", "data_type" },
        { "not a number", """{"data_type":"t","payload":{"x":NaN}}""", "payload.x" },
        { "infinity", """{"data_type":"t","payload":{"x":-Infinity}}""", "payload.x" },
        { "no payload", """{"data_type":"t"}""", "payload" },
        { "payload null", """{"data_type":"t","payload":null}""", "payload" },
        { "payload an array", """{"data_type":"t","payload":[1]}""", "payload" },
        { "payload a text", """{"data_type":"t","payload":"1"}""", "payload" },
        { "no data_type", """{"payload":{}}""", "data_type" },
        { "data_type a number", """{"data_type":1,"payload":{}}""", "data_type" },
        { "data_type empty", """{"data_type":"","payload":{}}""", "data_type" },
        { "data_type of 51", $$$"""{"data_type":"{{{new string('t', 51)}}}","payload":{}}""", "data_type" },
        { "device_id a number", """{"device_id":5,"data_type":"t","payload":{}}""", "device_id" },
        { "device_id empty", """{"device_id":"","data_type":"t","payload":{}}""", "device_id" },
        { "device_id of 129", $$$"""{"device_id":"{{{new string('d', 129)}}}","data_type":"t","payload":{}}""", "device_id" },
        { "device_id with NUL", """{"device_id":"a\u0000b","data_type":"t","payload":{}}""", "device_id" },
        { "device_id with a control character", """{"device_id":"a\u001fb","data_type":"t","payload":{}}""", "device_id" },
        { "device_id with a slash", """{"device_id":"a/b","data_type":"t","payload":{}}""", "device_id" },
        { "a timestamp that isn't one", """{"data_type":"t","timestamp":"yesterday","payload":{}}""", "timestamp" },
        { "a timestamp with a month too many", """{"data_type":"t","timestamp":"2026-13-01T00:00:00Z","payload":{}}""", "timestamp" },
        { "a timestamp without an offset", """{"data_type":"t","timestamp":"2026-11-01T00:00:00","payload":{}}""", "timestamp" },
        { "a timestamp as a number", """{"data_type":"t","timestamp":1700000000,"payload":{}}""", "timestamp" },
        { "a timestamp far ahead", """{"data_type":"t","timestamp":"9999-01-01T00:00:00Z","payload":{}}""", "timestamp" },
        { "a timestamp long ago", """{"data_type":"t","timestamp":"1900-01-01T00:00:00Z","payload":{}}""", "timestamp" },
        { "NUL in a value", """{"data_type":"t","payload":{"x":"a\u0000b"}}""", "payload.x" },
        { "NUL in a name", """{"data_type":"t","payload":{"a\u0000b":1}}""", "payload" },
        { "a high surrogate alone", """{"data_type":"t","payload":{"x":"\ud800"}}""", "payload.x" },
        { "a low surrogate alone", """{"data_type":"t","payload":{"x":{"y":"\udc00\ud800"}}}""", "payload.x.y" },
        { "1e200000", """{"data_type":"t","payload":{"x":1e200000}}""", "payload.x" },
        { "1e100000", """{"data_type":"t","payload":{"x":[1,1e100000]}}""", "payload.x[1]" },
        { "1e-100000", """{"data_type":"t","payload":{"x":1e-100000}}""", "payload.x" },
        { "a number of a thousand digits", $$$"""{"data_type":"t","payload":{"x":{{{new string('9', 1_000)}}}}}""", "payload.x" },
        { "depth over 32", $$$"""{"data_type":"t","payload":{"x":{{{new string('[', 32)}}}{{{new string(']', 32)}}}}}""", "payload" },
        { "depth of 100,000", $$$"""{"data_type":"t","payload":{"x":{{{new string('[', 100_000)}}}{{{new string(']', 100_000)}}}}}""", "payload" },
        { "a message_id of 129", $$$"""{"data_type":"t","message_id":"{{{new string('m', 129)}}}","payload":{}}""", "message_id" },
        { "an unknown priority", """{"data_type":"t","priority":"whenever","payload":{}}""", "priority" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task It_is_refused_by_field_and_stops_no_other_reading(string what, string bad, string field)
    {
        var device = await platform.NewDeviceAsync();
        var sender = platform.As(device.Token);

        var alone = await sender.PostReadingAsync(bad);
        Assert.True(alone.Status == 400, $"{what}: {alone}");
        Assert.Equal("urn:iot:problem:invalid", alone.Problem);
        Assert.Equal(0, Assert.Single(alone.Rejected).Index);
        Assert.NotEmpty(alone.Fields);

        var mixed = await sender.PostReadingAsync($$$"""[{"data_type":"good","payload":{"n":1}},{{{bad}}},{"data_type":"good","payload":{"n":2}}]""");
        Assert.True(mixed.Status == 200, $"{what}: {mixed}");
        Assert.Equal(2, mixed.Accepted);
        var (index, error) = Assert.Single(mixed.Rejected);
        Assert.Equal(1, index);
        Assert.StartsWith(field, error, StringComparison.Ordinal);
        Assert.True(error.Length < 500, $"{what}: an error of {error.Length} characters");
        Assert.Equal(2, await platform.StoredAsync(device.Id));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("[]")]
    [InlineData("hello")]
    [InlineData("{")]
    [InlineData("[")]
    [InlineData("[{\"data_type\":\"t\"")]
    public async Task A_body_that_holds_nothing_valid_is_refused(string body)
    {
        var answer = await platform.Client.PostReadingAsync(body);
        Assert.True(answer.Status == 400, answer.ToString());
        Assert.Equal("urn:iot:problem:invalid", answer.Problem);
    }

    [Fact]
    public async Task Bytes_that_are_not_utf8_are_refused_by_element()
    {
        var device = await platform.NewDeviceAsync();
        byte[] body = [.. """[{"data_type":"t","payload":{"x":1}},{"data_type":"t","payload":{"x":"a"""u8, 0xC3, 0x28, .. "\"}},{\"data_type\":\"t\",\"payload\":{\"x\":3}}]"u8];
        var answer = await platform.As(device.Token).PostReadingAsync(body);
        Assert.Equal((200, 2), (answer.Status, answer.Accepted));
        Assert.Equal(1, Assert.Single(answer.Rejected).Index);
    }

    [Fact]
    public async Task All_that_is_bad_at_once_stops_nothing_that_is_good()
    {
        var device = await platform.NewDeviceAsync();
        var elements = new List<string>();
        foreach (var row in Bad)
        {
            elements.Add(row.Data.Item2);
            elements.Add("""{"data_type":"good","payload":{"ok":true}}""");
        }
        var answer = await platform.As(device.Token).PostReadingAsync($"[{string.Join(",", elements)}]");
        Assert.Equal(200, answer.Status);
        Assert.Equal(Bad.Count, answer.Accepted);
        Assert.Equal(Enumerable.Range(0, Bad.Count).Select(i => 2 * i), answer.Rejected.Select(r => r.Index));
        Assert.Equal(Bad.Count, await platform.StoredAsync(device.Id));
    }

    [Fact]
    public async Task What_is_just_allowed_is_stored()
    {
        var id = new string('D', 128 - 6) + ":._-09";
        var body = $$$"""{"device_id":"{{{id}}}","data_type":"{{{new string('t', 50)}}}","message_id":"{{{new string('m', 128)}}}","priority":"high","payload":{"x":1e308,"y":5e-324,"z":"\ud83d\ude00\u0001","d":{{{new string('[', 31)}}}{{{new string(']', 31)}}}}}""";
        var answer = await platform.Client.PostReadingAsync(Encoding.UTF8.GetBytes(body));
        Assert.True(answer.Status == 200, answer.Text);
        Assert.Equal(1, await platform.StoredAsync(id));
    }
}
