using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Mqtt;

/// <summary>Who is at the other end of an MQTT connection.</summary>
/// <param name="Scope">Names the credential; sessions belong to (scope, client id), so that nobody can take another's over.</param>
/// <param name="Sender">As whom it brings readings in; null when it may not.</param>
/// <param name="Role">The role of its API key; null for devices and strangers.</param>
internal sealed record MqttIdentity(string Scope, Sender? Sender, string? Role)
{
    private const string AnonymousScope = "anonymous";

    public const string DevicePrefix = "device:";
    public const string KeyPrefix = "key:";

    public static readonly MqttIdentity Anonymous = new(AnonymousScope, new Sender(SenderKind.Anonymous), null);

    public bool IsAnonymous => Scope == AnonymousScope;

    public static string ScopeOfDevice(string deviceId) => $"{DevicePrefix}{deviceId}";

    public static string ScopeOfKey(string name) => $"{KeyPrefix}{name}";
}

/// <summary>Signs MQTT clients in and says what they may publish, subscribe to and receive.</summary>
internal sealed class MqttAccess(DeviceDirectory devices, ApiKeyDirectory apiKeys, Admission admission, SecurityOptions security)
{
    /// <summary>The identity behind user name and password, or the certificate; null when they are refused.</summary>
    /// <param name="certifiedDevice">The device that the client's certificate names; null: none.</param>
    public MqttIdentity? SignIn(string? userName, byte[]? password, string? certifiedDevice)
    {
        // A password counts before a certificate, and a user name must not be another's.
        if (certifiedDevice is not null && password is not { Length: > 0 })
        {
            return (string.IsNullOrEmpty(userName) || userName == certifiedDevice) && devices.Find(certifiedDevice) is { IsEnabled: true, IsRegistered: true } known
                ? new MqttIdentity(MqttIdentity.ScopeOfDevice(known.Id), new Sender(SenderKind.Device, known), null)
                : null;
        }
        if (string.IsNullOrEmpty(userName))
            return (security.AnonymousDevices || security.AnonymousTopics) && password is not { Length: > 0 } ? MqttIdentity.Anonymous : null;
        var token = System.Text.Encoding.UTF8.GetString(password ?? []);
        if (apiKeys.Find(token) is { } key && key.Name == userName)
            return OfKey(key.Name, key.Role);
        if (devices.Find(userName) is { IsEnabled: true } device && DeviceDirectory.Verify(device, password))
            return new MqttIdentity(MqttIdentity.ScopeOfDevice(device.Id), new Sender(SenderKind.Device, device), null);
        return null;
    }

    /// <summary>As whom the will of an earlier run is published; null when there is no such credential any more.</summary>
    public MqttIdentity? Identify(string scope)
    {
        if (scope == MqttIdentity.Anonymous.Scope)
            return security.AnonymousDevices || security.AnonymousTopics ? MqttIdentity.Anonymous : null;
        if (scope.StartsWith(MqttIdentity.DevicePrefix, StringComparison.Ordinal))
            return devices.Find(scope[MqttIdentity.DevicePrefix.Length..]) is { IsEnabled: true } device ? new MqttIdentity(scope, new Sender(SenderKind.Device, device), null) : null;
        var name = scope[MqttIdentity.KeyPrefix.Length..];
        return apiKeys.RoleOf(name) is { } role ? OfKey(name, role) : null;
    }

    /// <summary>Topics other than <c>devices/{id}/data</c>, which <see cref="Admission"/> judges.</summary>
    public bool MayPublish(MqttIdentity who, string topic)
    {
        if (topic.StartsWith(MqttTopics.Sys, StringComparison.Ordinal) || topic.StartsWith(MqttTopics.Inferences, StringComparison.Ordinal))
            return false; // Only the platform speaks there.
        if (who.Role == Roles.Admin)
            return true;
        if (who.Sender?.Device is { } device)
            return topic.StartsWith($"devices/{device.Id}/commands/", StringComparison.Ordinal) && topic.EndsWith("/reply", StringComparison.Ordinal);
        return who.IsAnonymous && security.AnonymousTopics && !MqttTopics.IsReserved(topic);
    }

    /// <summary>Asked when the client connects; what it then may is asked again when the will is published.</summary>
    public bool MayLeaveWill(MqttIdentity who, string topic) => MqttTopics.IsDeviceData(topic, out var deviceId)
        ? who.Sender is { } sender && DeviceId.IsValid(deviceId) && admission.MayWrite(sender, deviceId, out _, out _) == Denial.None
        : MayPublish(who, topic);

    /// <param name="fullFilter">A shared subscription's with its share.</param>
    public bool MaySubscribe(MqttIdentity who, string fullFilter)
    {
        MqttTopics.TrySplitShared(fullFilter, out _, out var filter);
        if (who.Role == Roles.Admin)
            return true;
        if (who.Role is not null)
            return MqttTopics.IsDeviceData(filter, out _) || filter.StartsWith(MqttTopics.Inferences, StringComparison.Ordinal);
        if (who.Sender?.Device is { } device)
            return filter.StartsWith($"devices/{device.Id}/commands/", StringComparison.Ordinal);
        return security.AnonymousTopics && !MqttTopics.IsReserved(filter);
    }

    /// <summary>A basis for topics on which the client can be answered; null: there is none.</summary>
    public string? ResponseTopics(MqttIdentity who, string clientId) =>
        who.Sender?.Device is { } device ? $"devices/{device.Id}/commands/"
        : MaySubscribe(who, "responses/x") && clientId.AsSpan().IndexOfAny("+#/") < 0 ? $"responses/{clientId}/"
        : null;

    private static MqttIdentity OfKey(string name, string role) =>
        new(MqttIdentity.ScopeOfKey(name), role == Roles.Admin ? new Sender(SenderKind.Admin) : null, role);
}
