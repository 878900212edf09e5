using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Modules.Gateway.Tls;

namespace IoT.Modules.Gateway.Mqtt.Connections;

// CONNECT, to the CONNACK.
internal sealed partial class MqttConnection
{
    private async ValueTask SignInAsync(Frame frame, FlushSet flush)
    {
        if (frame.Type != PacketType.Connect)
        {
            Fail(Fault.Protocol("The first packet is not CONNECT."));
            return;
        }
        var fault = ConnectDecoder.Read(frame, out var connect);
        (IsVersion5, IsVersion31) = (ConnectDecoder.IsVersion5(frame), connect.IsVersion31);
        if (fault is { } wrong)
        {
            // 3.1.1 has a word for a wrong version only.
            Refuse(wrong.Reason, wrong.What, isTold: IsVersion5 || wrong.Reason == Reason.UnsupportedProtocolVersion, flush);
            return;
        }
        Output.Configure(connect);
        if (connect.HasAuthenticationMethod)
        {
            Refuse(Reason.BadAuthenticationMethod, "User name and password are the only way to sign in.", true, flush);
            return;
        }
        var isAssigned = connect.ClientId.Length == 0;
        if (isAssigned && !connect.IsVersion5 && (connect.IsVersion31 || !connect.IsCleanStart))
        {
            Refuse(Reason.ClientIdentifierNotValid, "A session that is to last needs a client id, and in MQTT 3.1 any.", true, flush);
            return;
        }
        if (isAssigned)
            connect.ClientId = Guid.NewGuid().ToString("N");
        var certifiedDevice = DeviceCertificate.DeviceOf(_transport);
        if (_services.Access.SignIn(connect.UserName, connect.Password, certifiedDevice) is not { } identity)
        {
            Refuse(string.IsNullOrEmpty(connect.UserName) ? Reason.NotAuthorized : Reason.BadUserNameOrPassword, "User name or password is wrong.", true, flush);
            return;
        }
        if (connect.Will is { } will && !_services.Access.MayLeaveWill(identity, will.Topic))
        {
            Refuse(Reason.NotAuthorized, "Not allowed to leave a will on this topic.", true, flush);
            return;
        }

        var expiry = Math.Min(connect.SessionExpiry, Options.MqttMaxSessionExpirySeconds);
        SendQuota = Math.Min(connect.ReceiveMaximum, Options.MqttMaxInFlight);
        var opened = _services.Sessions.Open(this, identity, connect, expiry);
        if (opened.Session is null)
        {
            Refuse(Reason.QuotaExceeded, "There are too many sessions.", true, flush);
            return;
        }
        (Session, Identity, _isResumed) = (opened.Session, identity, opened.IsPresent);
        // From here on the end of a credential finds the connection; before, it may just have passed it by.
        if (_services.Access.SignIn(connect.UserName, connect.Password, certifiedDevice) is null)
        {
            Refuse(Reason.NotAuthorized, "The access has ended.", true, flush);
            return;
        }
        await opened.Commit.WaitAsync(_ending.Token);
        var keepAlive = KeepAliveOf(connect);
        _keepAlive = keepAlive == 0 ? null : keepAlive * TimeSpan.FromSeconds(1.5);
        var welcome = ControlPackets.Welcome(connect, opened.IsPresent, new Welcome(
            expiry == connect.SessionExpiry ? null : expiry, (ushort)Options.MqttMaxInFlight, Options.MqttMaxPacketBytes, isAssigned ? connect.ClientId : null, MostAliases,
            keepAlive == connect.KeepAlive ? null : keepAlive, connect.RequestsResponseInformation ? _services.Access.ResponseTopics(identity, connect.ClientId) : null));
        if (!Output.WriteControl(welcome, flush))
        {
            Refuse(Reason.PacketTooLarge, $"A CONNACK of {welcome.Length} bytes is larger than the client takes.", true, flush);
            return;
        }
        _isWelcome = true;
        opened.Session.Resume(this, flush);
    }

    /// <summary>MQTT 5 can be told of a shorter one than it asked for.</summary>
    private ushort KeepAliveOf(ConnectPacket connect)
    {
        var longest = (ushort)Options.MqttMaxKeepAliveSeconds;
        var isTooLong = connect.KeepAlive > longest || (connect.KeepAlive == 0 && longest < ushort.MaxValue);
        return connect.IsVersion5 && isTooLong ? longest : connect.KeepAlive;
    }

    private void Refuse(Reason reason, string what, bool isTold, FlushSet flush)
    {
        if (isTold)
        {
            if (!Output.WriteControl(ControlPackets.Refusal(IsVersion5, reason, what), flush))
                Output.WriteControl(ControlPackets.Refusal(IsVersion5, reason, null), flush);
            flush.Flush();
        }
        End(reason, what, dropsWill: true);
    }
}
