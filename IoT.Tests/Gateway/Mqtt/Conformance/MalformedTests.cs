using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>Malformed packets and protocol errors after CONNECT: MQTT 3.1.1 section 4.8, MQTT 5 section 4.13.</summary>
public sealed class MalformedTests(OpenPlatform platform) : ConformanceTest(platform)
{
    /// <summary>Control characters and what Unicode calls no characters: the specifications leave it to the server, and no broker should be alone in taking them.</summary>
    [Theory]
    [InlineData(4, "\u0001")]
    [InlineData(5, "\u001F")]
    [InlineData(4, "\u007F")]
    [InlineData(5, "\u0085")]
    [InlineData(4, "\u009F")]
    [InlineData(5, "\uFFFF")]
    public async Task Control_characters_are_refused_in_whatever_names_something(int version, string bad)
    {
        var name = $"a{bad}ü";
        foreach (var packet in new Func<MqttPeer, byte[]>[]
        {
            peer => peer.PublishPacket(name, "x", 1, id: 1), peer => peer.SubscribePacket(1, null, (name, 0)),
            peer => Bytes.Packet(0xA2, [0, 1, .. version < 5 ? [] : new byte[] { 0 }, .. Bytes.Text(name)]),
        })
        {
            var peer = await ConnectAsync(version);
            await peer.SendAsync(packet(peer));
            await AssertEndsAsync(peer, 0x81);
        }
        foreach (var connect in new Func<MqttPeer, byte[]>[] { peer => peer.ConnectPacket(name, true, 0, null, null), peer => peer.ConnectPacket("c", true, 0, null, new Will(name)), peer => peer.ConnectPacket("c", true, 0, null, null, name) })
        {
            var peer = await OpenAsync(version);
            await peer.SendAsync(connect(peer));
            Assert.True(await peer.EndAsync() is null or 0x81);
            Assert.Null(peer.ConnAck);
        }
        // Others' characters are nobody's business.
        var fine = await ConnectAsync(version);
        Assert.Equal(0, await fine.SubscribeAsync(NewTopic(" \u00A0ÿ\uFFFD😀")));
    }

    // Whole packets in hexadecimal digits; 3.1.1 and 5 differ by the property length.
    [Theory]
    [InlineData("0000", "the reserved type 0")]
    [InlineData("36 06 0001 74 0001 78", "PUBLISH with QoS 3")]
    [InlineData("3E 06 0001 74 0001 78", "PUBLISH with QoS 3 and DUP")]
    [InlineData("32 06 0001 74 0000 00", "PUBLISH with packet id 0")]
    [InlineData("34 06 0001 74 0000 00", "PUBLISH of QoS 2 with packet id 0")]
    [InlineData("32 03 0001 74", "PUBLISH without its packet id")]
    [InlineData("30 01 00", "PUBLISH without a topic")]
    [InlineData("30 00", "an empty PUBLISH")]
    [InlineData("30 04 0009 7461", "PUBLISH whose topic is longer than the packet")]
    [InlineData("80 06 0001 0001 74 00", "SUBSCRIBE with flags 0")]
    [InlineData("83 06 0001 0001 74 00", "SUBSCRIBE with flags 3")]
    [InlineData("8A 06 0001 0001 74 00", "SUBSCRIBE with flags A")]
    [InlineData("82 00", "an empty SUBSCRIBE")]
    [InlineData("82 01 00", "SUBSCRIBE with half a packet id")]
    [InlineData("A0 05 0001 0001 74", "UNSUBSCRIBE with flags 0")]
    [InlineData("A3 05 0001 0001 74", "UNSUBSCRIBE with flags 3")]
    [InlineData("A2 00", "an empty UNSUBSCRIBE")]
    [InlineData("60 02 0001", "PUBREL with flags 0")]
    [InlineData("63 02 0001", "PUBREL with flags 3")]
    [InlineData("62 00", "an empty PUBREL")]
    [InlineData("62 01 00", "PUBREL with half a packet id")]
    [InlineData("41 02 0001", "PUBACK with flags 1")]
    [InlineData("40 01 00", "PUBACK with half a packet id")]
    [InlineData("52 02 0001", "PUBREC with flags 2")]
    [InlineData("71 02 0001", "PUBCOMP with flags 1")]
    [InlineData("C1 00", "PINGREQ with flags 1")]
    [InlineData("C0 01 00", "PINGREQ with a body")]
    [InlineData("E1 00", "DISCONNECT with flags 1")]
    [InlineData("D0 00", "PINGRESP from a client")]
    [InlineData("20 02 0000", "CONNACK from a client")]
    [InlineData("90 03 0001 00", "SUBACK from a client")]
    [InlineData("B0 02 0001", "UNSUBACK from a client")]
    [InlineData("30 FFFFFFFF01", "a remaining length of five bytes")]
    [InlineData("C0 8080808001", "PINGREQ with a remaining length of five bytes")]
    [InlineData("10 02 0001", "a second CONNECT, broken too")]
    public async Task Malformed_packets_end_the_connection(string hex, string what)
    {
        Strict(what is "PUBACK with flags 1" or "PUBREC with flags 2" or "PUBCOMP with flags 1" or "PINGREQ with flags 1" or "PINGREQ with a body"
            or "PINGRESP from a client" or "SUBACK from a client" or "UNSUBACK from a client");
        foreach (var version in new[] { 4, 5 })
        {
            var peer = await ConnectAsync(version);
            await peer.SendAsync(Bytes.Hex(hex));
            await AssertEndsAsync(peer, 0x81, 0x82, 0x95);
        }
    }

    [Theory]
    [InlineData(4, "F0 00", "AUTH, which 3.1.1 does not have")]
    [InlineData(4, "E0 01 00", "DISCONNECT of 3.1.1 with a body")]
    [InlineData(4, "82 06 0000 0001 74 00", "SUBSCRIBE with packet id 0")]
    [InlineData(5, "82 07 0000 00 0001 74 00", "SUBSCRIBE with packet id 0")]
    [InlineData(4, "A2 05 0000 0001 74", "UNSUBSCRIBE with packet id 0")]
    [InlineData(5, "A2 06 0000 00 0001 74", "UNSUBSCRIBE with packet id 0")]
    [InlineData(4, "82 05 0001 0001 74", "SUBSCRIBE without options")]
    [InlineData(5, "82 06 0001 00 0001 74", "SUBSCRIBE without options")]
    [InlineData(4, "82 06 0001 0009 74 00", "SUBSCRIBE cut short")]
    [InlineData(5, "82 07 0001 00 0009 74 00", "SUBSCRIBE cut short")]
    [InlineData(4, "A2 05 0001 0009 74", "UNSUBSCRIBE cut short")]
    [InlineData(5, "A2 06 0001 00 0009 74", "UNSUBSCRIBE cut short")]
    [InlineData(5, "82 03 0001 09", "SUBSCRIBE with properties beyond its end")]
    [InlineData(5, "30 04 0001 74 09", "PUBLISH with properties beyond its end")]
    [InlineData(5, "30 03 0001 74", "PUBLISH without the length of its properties")]
    [InlineData(5, "E0 02 00 09", "DISCONNECT with properties beyond its end")]
    [InlineData(5, "F0 00", "AUTH without a method")]
    [InlineData(5, "F0 02 18 00", "AUTH without a method")]
    public async Task Malformed_packets_of_one_version_end_the_connection(int version, string hex, string what)
    {
        Strict(what is "DISCONNECT of 3.1.1 with a body");
        var peer = await ConnectAsync(version);
        await peer.SendAsync(Bytes.Hex(hex));
        await AssertEndsAsync(peer, 0x81, 0x82);
    }

    [Theory]
    [InlineData("36 00", 0x81, "2.2.2: a value that the protocol does not have")]
    [InlineData("32 07 0001 74 0000 00 78", 0x82, "PUBLISH with packet id 0")]
    [InlineData("82 07 0000 00 0001 74 00", 0x81, "SUBSCRIBE with packet id 0, as Mosquitto")]
    [InlineData("A2 06 0000 00 0001 74", 0x81, "UNSUBSCRIBE with packet id 0, as Mosquitto")]
    [InlineData("82 07 0001 00 0001 74 30", 0x82, "3.8.3.1: retain handling 3")]
    [InlineData("82 03 0001 00", 0x82, "3.8.3: no filter")]
    [InlineData("82 09 0001 02 0B00 0001 74 00", 0x82, "3.8.2.1.2: subscription identifier 0")]
    [InlineData("82 11 0001 00 000B 24 73 68 61 72 65 2F 67 2F 61 62 04", 0x82, "3.8.3.1: no-local and shared")]
    [InlineData("30 06 0001 74 02 0B01", 0x82, "3.3.4: a subscription identifier from a client")]
    [InlineData("30 06 0001 74 01 01 78", 0x81, "2.2.2.2: a property without its value")]
    [InlineData("30 06 0001 74 02 0102", 0x82, "3.3.2.3.2: payload format 2")]
    [InlineData("30 08 0001 74 04 01000100", 0x82, "2.2.2.2: a property twice")]
    [InlineData("30 07 0001 74 03 210001", 0x81, "2.2.2.2: a property of other packets")]
    [InlineData("30 07 0001 74 03 230000", 0x94, "3.3.2.3.4: topic alias 0")]
    [InlineData("30 07 0000 03 230001 78", 0x82, "3.3.2.3.4: an alias that stands for nothing")]
    [InlineData("30 05 0002 C328 00", 0x81, "1.5.4: no UTF-8")]
    [InlineData("30 04 0001 2B 00", 0x81, "3.3.2.1: a wildcard")]
    [InlineData("10 02 0001", 0x82, "3.1: a second CONNECT")]
    [InlineData("61 02 0001", 0x81, "2.1.3: reserved bits")]
    public async Task The_reason_is_the_specifications(string hex, byte code, string what)
    {
        Strict();
        var peer = await ConnectAsync();
        await peer.SendAsync(Bytes.Hex(hex));
        var end = await peer.NextAsync(Kind.Disconnect);
        Assert.True(end.Code == code, $"{end.Code:X2} instead of {code:X2} for {what}");
        Assert.Null(await peer.ReadAsync());
    }

    // Of PUBLISH; the properties' length comes before them.
    [Theory]
    [InlineData("02 01 02", "payload format 2")]
    [InlineData("04 01 01 01 01", "payload format twice")]
    [InlineData("0A 02 00000001 02 00000001", "message expiry twice")]
    [InlineData("06 23 0001 23 0001", "topic alias twice")]
    [InlineData("08 03 0001 61 03 0001 61", "content type twice")]
    [InlineData("08 08 0001 61 08 0001 61", "response topic twice")]
    [InlineData("08 09 0001 61 09 0001 61", "correlation data twice")]
    [InlineData("02 0B 01", "a subscription id from a client")]
    [InlineData("05 11 00000001", "session expiry")]
    [InlineData("03 21 0001", "receive maximum")]
    [InlineData("04 1F 0001 61", "a reason string")]
    [InlineData("02 7F 00", "an unknown property")]
    [InlineData("04 08 0001 23", "a wildcard in the response topic")]
    [InlineData("06 08 0003 612F2B", "a wildcard in the response topic")]
    [InlineData("05 26 0002 C328", "a user property without a value")]
    [InlineData("08 26 0002 C328 0001 61", "a user property that is no UTF-8")]
    [InlineData("05 03 0002 C328", "a content type that is no UTF-8")]
    [InlineData("03 02 0000", "message expiry cut short")]
    [InlineData("80 80 80 80 01", "a length of properties of five bytes")]
    public async Task Wrong_properties_of_PUBLISH_end_the_connection(string hex, string what)
    {
        Strict(what is "payload format 2" or "a wildcard in the response topic" or "a subscription id from a client");
        var peer = await ConnectAsync();
        await peer.SendAsync(Bytes.Packet(0x30, [.. Bytes.Text("t"), .. Bytes.Hex(hex), (byte)'x']));
        await AssertEndsAsync(peer, 0x81, 0x82, 0x90);
    }

    [Theory]
    [InlineData("62", "05 11 00000001", "PUBREL")]
    [InlineData("50", "02 01 00", "PUBREC")]
    [InlineData("40", "03 21 0001", "PUBACK")]
    [InlineData("70", "02 0B 01", "PUBCOMP")]
    [InlineData("40", "08 1F 0001 61 1F 0001 61", "PUBACK with two reason strings")]
    public async Task Misplaced_properties_of_acknowledgements_end_the_connection(string header, string properties, string what)
    {
        Strict(what is "PUBACK" or "PUBREC" or "PUBCOMP" or "PUBACK with two reason strings" or "PUBREL");
        var peer = await ConnectAsync();
        await peer.SendAsync(Bytes.Packet(Convert.ToByte(header, 16), [0, 1, 0, .. Bytes.Hex(properties)]));
        await AssertEndsAsync(peer, 0x81, 0x82);
    }

    [Theory]
    [InlineData("61 23", "#")]
    [InlineData("61 2F 2B", "+")]
    [InlineData("23", "#")]
    [InlineData("61 00 62", "NUL")]
    [InlineData("C3 28", "a broken sequence")]
    [InlineData("80", "a continuation alone")]
    [InlineData("C0 AF", "an overlong /")]
    [InlineData("E0 80 AF", "an overlong /")]
    [InlineData("ED A0 80", "a surrogate")]
    [InlineData("ED BF BF", "a surrogate")]
    [InlineData("F4 90 80 80", "beyond U+10FFFF")]
    [InlineData("F8 88 80 80 80", "a sequence of five bytes")]
    [InlineData("FF", "FF")]
    [InlineData("61 E2 82", "a sequence cut short")]
    public async Task A_topic_that_is_none_ends_the_connection(string hex, string what)
    {
        _ = what;
        foreach (var version in new[] { 4, 5 })
        {
            var peer = await ConnectAsync(version);
            await peer.SendAsync(Bytes.Packet(0x30, [.. Bytes.Binary(Bytes.Hex(hex)), .. version == 5 ? new byte[] { 0 } : [], (byte)'x']));
            await AssertEndsAsync(peer, 0x81, 0x82, 0x90);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task An_empty_topic_ends_the_connection(int version)
    {
        var peer = await ConnectAsync(version);
        await peer.SendAsync(peer.PublishPacket("", "x"));
        await AssertEndsAsync(peer, 0x81, 0x82, 0x90);
    }

    [Theory]
    [InlineData("C3 28")]
    [InlineData("ED A0 80")]
    [InlineData("61 2F C0 80")]
    public async Task A_filter_that_is_no_UTF_8_is_refused(string hex)
    {
        foreach (var version in new[] { 4, 5 })
        {
            var filter = Bytes.Binary(Bytes.Hex(hex));
            byte[] none = version == 5 ? [0] : [];
            var peer = await ConnectAsync(version);
            await peer.SendAsync(Bytes.Packet(0x82, [0, 1, .. none, .. filter, 0]));
            var answer = await peer.ReadAsync();
            Assert.True(answer is null or { Kind: Kind.Disconnect } || answer.Codes[0] >= 0x80, $"{answer}");
            peer = await ConnectAsync(version);
            await peer.SendAsync(Bytes.Packet(0xA2, [0, 1, .. none, .. filter]));
            Assert.True(await peer.ReadAsync() is null or { Kind: Kind.Disconnect } or { Codes: [>= 0x80] });
        }
    }

    [Theory]
    [InlineData("EF BF BD", "the replacement character itself")]
    [InlineData("EF BB BF 61", "a byte order mark")]
    [InlineData("F0 9F 98 80", "four bytes")]
    [InlineData("20", "a blank")]
    public async Task Unusual_text_is_text(string hex, string what)
    {
        var name = NewTopic();
        byte[] topic = [.. Encoding.UTF8.GetBytes(name + "/"), .. Bytes.Hex(hex)];
        var peer = await ConnectAsync();
        await peer.SubscribeAsync(name + "/+");
        await peer.SendAsync(Bytes.Packet(0x30, [.. Bytes.Binary(topic), 0, (byte)'x']));
        Assert.True(Encoding.UTF8.GetBytes((await peer.ReceiveAsync()).Topic).AsSpan().SequenceEqual(topic), what);
    }

    [Fact]
    public async Task Other_connections_see_nothing_of_it()
    {
        var other = await ConnectAsync();
        var topic = NewTopic();
        await other.SubscribeAsync(topic, 1);
        for (var n = 0; n < 5; n++)
        {
            var broken = await ConnectAsync();
            await broken.SendAsync([.. broken.PublishPacket(topic, $"{n}", 1, id: 1), 0x36, 0]);
            await broken.EndAsync();
        }
        // What was whole is taken.
        for (var n = 0; n < 5; n++)
            Assert.Equal($"{n}", (await other.ReceiveAsync()).Text);
    }
}
