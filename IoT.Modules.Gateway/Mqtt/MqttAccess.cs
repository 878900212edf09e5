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

    public static readonly MqttIdentity Anonymous = new(AnonymousScope, new Sender(SenderKind.Anonymous), null);

    public bool IsAnonymous => Scope == AnonymousScope;

    public static string ScopeOfDevice(string deviceId) => $"device:{deviceId}";

    public static string ScopeOfKey(string name) => $"key:{name}";

    /// <summary>The client id by which the broker knows a session of this credential.</summary>
    public string Qualify(string clientId) => $"{Scope}/{clientId}";

    /// <summary>Whether a client id, as the broker knows it, is a stranger's.</summary>
    public static bool IsAnonymousClient(string qualifiedClientId) => qualifiedClientId.StartsWith($"{AnonymousScope}/", StringComparison.Ordinal);
}

/// <summary>Signs MQTT clients in and says what they may publish, subscribe to and receive.</summary>
internal sealed class MqttAccess(DeviceDirectory devices, ApiKeyDirectory apiKeys, SecurityOptions security)
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
            return new MqttIdentity(MqttIdentity.ScopeOfKey(key.Name), key.Role == Roles.Admin ? new Sender(SenderKind.Admin) : null, key.Role);
        if (devices.Find(userName) is { IsEnabled: true } device && DeviceDirectory.Verify(device, password))
            return new MqttIdentity(MqttIdentity.ScopeOfDevice(device.Id), new Sender(SenderKind.Device, device), null);
        return null;
    }

    /// <summary>Topics other than <c>devices/{id}/data</c>, which <see cref="Admission"/> judges.</summary>
    public bool MayPublish(MqttIdentity who, string topic)
    {
        if (topic.StartsWith('$') || topic.StartsWith(MqttTopics.Inferences, StringComparison.Ordinal))
            return false; // Only the platform speaks there.
        if (who.Role == Roles.Admin)
            return true;
        if (who.Sender?.Device is { } device)
            return topic.StartsWith($"devices/{device.Id}/commands/", StringComparison.Ordinal) && topic.EndsWith("/reply", StringComparison.Ordinal);
        return who.IsAnonymous && security.AnonymousTopics && !MqttTopics.IsReserved(topic);
    }

    public bool MaySubscribe(MqttIdentity who, string filter)
    {
        if (who.Role == Roles.Admin)
            return true;
        if (who.Role is not null)
            return MqttTopics.IsDeviceData(filter, out _) || filter.StartsWith(MqttTopics.Inferences, StringComparison.Ordinal);
        if (who.Sender?.Device is { } device)
            return filter.StartsWith($"devices/{device.Id}/commands/", StringComparison.Ordinal);
        return security.AnonymousTopics && !MqttTopics.IsReserved(filter);
    }

    /// <summary>Filters what a wildcard of a stranger would catch beyond the topics that are for strangers.</summary>
    public static bool MayReceive(string qualifiedClientId, string topic) =>
        !MqttIdentity.IsAnonymousClient(qualifiedClientId) || !MqttTopics.IsReserved(topic);
}
