using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Conformance;

/// <summary>CONNECT and CONNACK: MQTT 3.1.1 section 3.1 and 3.2, MQTT 5 section 3.1 and 3.2.</summary>
public sealed class ConnectTests(OpenPlatform platform) : ConformanceTest(platform)
{
    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_client_with_an_id_is_let_in(int version)
    {
        var peer = await OpenAsync(version);
        var answer = await peer.ConnectAsync(MqttPeer.NewName("c"));
        Assert.Equal(0, answer.Code);
        Assert.False(answer.IsSessionPresent);
        Assert.Equal(version == 5, answer.Body.Length > 2);
        await peer.PingAsync();
    }

    [Fact]
    public async Task An_empty_id_with_clean_session_is_given_one_in_3_1_1()
    {
        var peer = await OpenAsync(4);
        Assert.Equal(0, (await peer.ConnectAsync("")).Code);
        var topic = NewTopic();
        await peer.SubscribeAsync(topic);
        await peer.PublishAsync(topic);
        Assert.Equal(topic, (await peer.ReceiveAsync()).Topic);
    }

    [Fact]
    public async Task An_empty_id_without_clean_session_is_refused_in_3_1_1()
    {
        var peer = await OpenAsync(4);
        var answer = await peer.ConnectAsync("", clean: false);
        Assert.Equal(2, answer.Code);
        Assert.False(answer.IsSessionPresent);
        Assert.Null(await peer.ReadAsync());
    }

    [Fact]
    public async Task Empty_ids_do_not_share_a_session()
    {
        var first = await ConnectAsync(4, "");
        var second = await ConnectAsync(4, "");
        await first.PingAsync();
        await second.PingAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_empty_id_is_given_one_and_told_it_in_5(bool clean)
    {
        var peer = await OpenAsync();
        var answer = await peer.ConnectAsync("", clean, properties: Prop.SessionExpiry(30));
        Assert.Equal(0, answer.Code);
        var id = answer.Properties.Text(Prop.AssignedClientIdId);
        Assert.False(string.IsNullOrEmpty(id));

        // It names the session, too.
        await peer.DisconnectAsync();
        var again = await OpenAsync();
        Assert.True((await again.ConnectAsync(id, clean: false, properties: Prop.SessionExpiry(0))).IsSessionPresent);
    }

    [Fact]
    public async Task A_given_id_is_not_assigned_another()
    {
        var peer = await ConnectAsync();
        Assert.False(peer.ConnAck!.Properties.Has(Prop.AssignedClientIdId));
    }

    [Theory]
    [InlineData(4, "a")]
    [InlineData(5, "a")]
    [InlineData(4, "with blanks / and + wildcards #")]
    [InlineData(5, "with blanks / and + wildcards #")]
    [InlineData(4, "Grüße-設備-😀")]
    [InlineData(5, "Grüße-設備-😀")]
    [InlineData(4, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")]
    [InlineData(5, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")]
    public async Task Any_client_id_will_do(int version, string id)
    {
        var peer = await ConnectAsync(version, $"{id} {version}");
        await peer.PingAsync();
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task CONNECT_may_come_byte_by_byte(int version)
    {
        var peer = await OpenAsync(version);
        foreach (var one in peer.ConnectPacket(MqttPeer.NewName("c"), true, 0, null, null))
            await peer.SendAsync(one);
        Assert.Equal(0, (await peer.NextAsync(Kind.ConnAck)).Code);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Packets_may_follow_CONNECT_before_its_CONNACK(int version)
    {
        var peer = await OpenAsync(version);
        var topic = NewTopic();
        await peer.SendAsync(
        [
            .. peer.ConnectPacket(MqttPeer.NewName("c"), true, 0, null, null),
            .. peer.SubscribePacket(1, null, (topic, 1)),
            .. peer.PublishPacket(topic, "at once", 1, id: 2),
            0xC0, 0,
        ]);
        Assert.Equal(0, (await peer.NextAsync(Kind.ConnAck)).Code);
        await peer.WaitAsync(Kind.SubAck);
        await peer.WaitAsync(Kind.PubAck);
        await peer.WaitAsync(Kind.PingResp);
        Assert.Equal("at once", (await peer.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_second_CONNECT_ends_the_connection(int version)
    {
        var peer = await ConnectAsync(version);
        await peer.SendAsync(peer.ConnectPacket(MqttPeer.NewName("c"), true, 0, null, null));
        await AssertEndsAsync(peer, 0x82);
    }

    [Theory]
    [InlineData("C000", "PINGREQ")]
    [InlineData("E000", "DISCONNECT")]
    [InlineData("300500017461 62", "PUBLISH")]
    [InlineData("8206000100017400", "SUBSCRIBE")]
    [InlineData("2002 0000", "CONNACK")]
    [InlineData("F000", "AUTH")]
    [InlineData("0000", "a reserved type")]
    [InlineData("474554202F20485454502F312E310D0A0D0A", "HTTP")]
    public async Task Anything_before_CONNECT_closes_the_connection_without_a_word(string hex, string what)
    {
        var peer = await OpenAsync();
        await peer.SendAsync(Bytes.Hex(hex));
        var answer = await peer.ReadAsync();
        Assert.True(answer is null || IsOtherBroker, $"{answer} to {what}");
    }

    [Theory]
    [InlineData("MQTT", 3)]
    [InlineData("MQTT", 6)]
    [InlineData("MQTT", 0)]
    [InlineData("MQTT", 127)]
    [InlineData("MQTT", 255)]
    [InlineData("MQIsdp", 4)]
    [InlineData("MQIsdp", 5)]
    public async Task An_unknown_protocol_level_is_refused(string name, int level)
    {
        var peer = await OpenAsync(level > 5 ? 5 : 4);
        await peer.SendAsync(Bytes.Packet(0x10, [.. Bytes.Text(name), (byte)level, 2, 0, 0, .. Bytes.Text(MqttPeer.NewName("c")), 0, 0]));
        // 0x01 is the word of 3.1.1, 0x84 of MQTT 5; a server may close without one.
        Assert.True(await peer.EndAsync() is null or 1 or 0x84);
    }

    /// <summary>Of MQTT 6 nobody knows what its CONNACK will look like; 3.1.1 demands this one.</summary>
    [Fact]
    public async Task A_later_version_is_refused_in_the_words_of_3_1_1()
    {
        var peer = await OpenAsync(4);
        await peer.SendAsync(Bytes.Connect(6, 2, 0, [.. Bytes.Text(MqttPeer.NewName("c")), 0, 0]));
        Assert.Equal([0, 1], (await peer.NextAsync(Kind.ConnAck)).Body);
        Assert.Null(await peer.ReadAsync());
    }

    [Theory]
    [InlineData("MQTS", 4)]
    [InlineData("mqtt", 4)]
    [InlineData("MQTT ", 4)]
    [InlineData("", 4)]
    [InlineData("MQTTT", 5)]
    [InlineData("HTTP", 5)]
    public async Task An_unknown_protocol_name_closes_the_connection(string name, int level)
    {
        var peer = await OpenAsync(level);
        await peer.SendAsync(Bytes.Packet(0x10, [.. Bytes.Text(name), (byte)level, 2, 0, 0, .. level == 5 ? new byte[] { 0 } : [], .. Bytes.Text(MqttPeer.NewName("c"))]));
        Assert.True(await peer.EndAsync() is null or 1 or 0x84);
    }

    // Flags: user name 80, password 40, will retain 20, will QoS 18, will 4, clean 2, reserved 1.
    [Theory]
    [InlineData(4, 0x03, "", "the reserved flag")]
    [InlineData(5, 0x03, "", "the reserved flag")]
    [InlineData(4, 0x1E, "0001 77 0001 70", "a will of QoS 3")]
    [InlineData(5, 0x1E, "00 0001 77 0001 70", "a will of QoS 3")]
    [InlineData(4, 0x0A, "", "a will's QoS without a will")]
    [InlineData(5, 0x0A, "", "a will's QoS without a will")]
    [InlineData(4, 0x22, "", "a will's retain without a will")]
    [InlineData(5, 0x22, "", "a will's retain without a will")]
    [InlineData(4, 0x42, "0001 70", "a password without a user name")]
    [InlineData(4, 0x06, "", "a will that is missing")]
    [InlineData(5, 0x06, "", "a will that is missing")]
    [InlineData(4, 0x06, "0001 77 0005 70", "a will's payload cut short")]
    [InlineData(4, 0x06, "0000 0001 70", "an empty will topic")]
    [InlineData(5, 0x06, "00 0000 0001 70", "an empty will topic")]
    [InlineData(4, 0x06, "0003 61 2F 23 0001 70", "a wildcard in the will topic")]
    [InlineData(5, 0x06, "00 0003 61 2F 23 0001 70", "a wildcard in the will topic")]
    [InlineData(4, 0x82, "", "a user name that is missing")]
    [InlineData(5, 0x82, "", "a user name that is missing")]
    [InlineData(4, 0x02, "0001 70", "bytes after the last field")]
    [InlineData(5, 0x02, "0001 70", "bytes after the last field")]
    [InlineData(4, 0x82, "0002 C3 28", "a user name that is no UTF-8")]
    [InlineData(5, 0x82, "0002 C3 28", "a user name that is no UTF-8")]
    [InlineData(4, 0x06, "0002 C3 28 0001 70", "a will topic that is no UTF-8")]
    [InlineData(4, 0x06, "0001 00 0001 70", "a NUL in the will topic")]
    public async Task A_malformed_CONNECT_is_refused(int version, byte flags, string afterId, string what)
    {
        Strict(what is "a will topic that is no UTF-8" or "a password without a user name" or "bytes after the last field");
        var peer = await OpenAsync(version);
        await peer.SendAsync(Bytes.Connect(version, flags, 0, [.. version == 5 ? new byte[] { 0 } : [], .. Bytes.Text(MqttPeer.NewName("c")), .. Bytes.Hex(afterId)]));
        var code = await peer.EndAsync();
        Assert.True(version == 5 ? code is null or 0x81 or 0x82 or 0x90 : code is null or 2 or 4 or 5, $"{what}: {code:X2}");
    }

    [Theory]
    [InlineData(4, "0002 C3 28")]
    [InlineData(5, "0002 C3 28")]
    [InlineData(4, "0003 ED A0 80")]
    [InlineData(5, "0003 ED A0 80")]
    [InlineData(4, "0001 00")]
    [InlineData(5, "0001 00")]
    [InlineData(4, "0009 61")]
    [InlineData(5, "0009 61")]
    public async Task A_client_id_that_is_no_text_is_refused(int version, string hex)
    {
        var peer = await OpenAsync(version);
        await peer.SendAsync(Bytes.Connect(version, 2, 0, [.. version == 5 ? new byte[] { 0 } : [], .. Bytes.Hex(hex)]));
        Assert.True(await peer.EndAsync() is null or 2 or 0x81 or 0x82 or 0x85);
    }

    // Properties of CONNECT: with their length before them.
    [Theory]
    [InlineData("05 11 0000000A", true, "session expiry")]
    [InlineData("0A 11 0000000A 11 0000000A", false, "session expiry twice")]
    [InlineData("03 21 0001", true, "receive maximum 1")]
    [InlineData("03 21 0000", false, "receive maximum 0")]
    [InlineData("06 21 0001 21 0001", false, "receive maximum twice")]
    [InlineData("05 27 00000400", true, "maximum packet size")]
    [InlineData("05 27 00000000", false, "maximum packet size 0")]
    [InlineData("0A 27 00000400 27 00000400", false, "maximum packet size twice")]
    [InlineData("03 22 0000", true, "topic alias maximum 0")]
    [InlineData("06 22 0001 22 0001", false, "topic alias maximum twice")]
    [InlineData("02 19 01", true, "request response information")]
    [InlineData("02 19 02", false, "request response information 2")]
    [InlineData("04 19 01 19 01", false, "request response information twice")]
    [InlineData("02 17 00", true, "request problem information")]
    [InlineData("02 17 02", false, "request problem information 2")]
    [InlineData("04 17 01 17 01", false, "request problem information twice")]
    [InlineData("0E 26 0001 61 0001 62 26 0001 61 0001 63", true, "user properties")]
    [InlineData("04 16 0001 61", false, "authentication data without a method")]
    [InlineData("02 01 01", false, "payload format")]
    [InlineData("03 23 0001", false, "topic alias")]
    [InlineData("02 0B 01", false, "subscription id")]
    [InlineData("05 18 00000001", false, "will delay")]
    [InlineData("02 24 01", false, "maximum QoS")]
    [InlineData("04 1F 0001 61", false, "reason string")]
    [InlineData("02 7F 01", false, "an unknown property")]
    [InlineData("05 11 0000", false, "properties cut short")]
    [InlineData("FF FF FF FF 7F", false, "a length of properties of five bytes")]
    public async Task Properties_of_CONNECT(string hex, bool isFine, string what)
    {
        Strict(what is "authentication data without a method");
        var peer = await OpenAsync();
        await peer.SendAsync(Bytes.Connect(5, 2, 0, [.. Bytes.Hex(hex), .. Bytes.Text(MqttPeer.NewName("c"))]));
        if (isFine)
        {
            Assert.Equal(0, (await peer.NextAsync(Kind.ConnAck)).Code);
            await peer.PingAsync();
        }
        else
        {
            Assert.True(await peer.EndAsync() is null or 0x81 or 0x82, what);
        }
    }

    [Fact]
    public async Task CONNACK_tells_what_the_broker_can_do_only_where_it_is_not_the_default()
    {
        var properties = (await ConnectAsync()).ConnAck!.Properties;
        Assert.True(properties.Number(Prop.MaximumQosId) is null);
        Assert.True(properties.Number(Prop.RetainAvailableId) is null or 1);
        Assert.True(properties.Number(Prop.WildcardAvailableId) is null or 1);
        Assert.True(properties.Number(Prop.SubscriptionIdsAvailableId) is null or 1);
        Assert.True(properties.Number(Prop.SharedAvailableId) is null or 1);
        Assert.True(properties.Number(Prop.ReceiveMaximumId) is null or > 0);
        Assert.True(properties.Number(Prop.MaximumPacketSizeId) is null or > 0);
        Assert.Equal(properties.All.Count, properties.All.Select(p => p.Id).Distinct().Count());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_password_may_be_binary_and_an_unknown_user_is_refused(int version)
    {
        Strict();
        var peer = await OpenAsync(version);
        await peer.SendAsync(Bytes.Connect(version, 0xC2, 0, [.. version == 5 ? new byte[] { 0 } : [], .. Bytes.Text(MqttPeer.NewName("c")), .. Bytes.Text("nobody"), 0, 3, 0, 0xFF, 0xC3]));
        var answer = await peer.NextAsync(Kind.ConnAck);
        Assert.Equal(version == 5 ? 0x86 : 4, answer.Code);
        Assert.False(answer.IsSessionPresent);
        Assert.Null(await peer.ReadAsync());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task DISCONNECT_closes_the_connection(int version) => await (await ConnectAsync(version)).DisconnectAsync();
}
