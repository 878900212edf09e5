using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Devices;

/// <summary>
/// Makes the directories of devices, API keys and people the database's, at start or when PostgreSQL comes later. What the mirror let
/// in meanwhile and the database does not is taken out, and connections made with it end.
/// </summary>
internal sealed partial class DirectoryLoader(
    PostgresPools database, DeviceDirectory devices, ApiKeyDirectory apiKeys, PeopleDirectory people, IMediator mediator, ILogger<DirectoryLoader> logger)
{
    private sealed record DeviceRow(string ExternalId, byte[]? TokenHash, string Status, DateTime? LastSeenAt);

    private sealed record ApiKeyRow(string Name, string Role, byte[] KeyHash);

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var deviceRows = await connection.QueryAsync<DeviceRow>(new CommandDefinition("select external_id, token_hash, status, last_seen_at from devices", cancellationToken: cancellationToken));
        var keyRows = await connection.QueryAsync<ApiKeyRow>(new CommandDefinition("select name, role, key_hash from api_keys", cancellationToken: cancellationToken));
        var peopleRows = await connection.QueryAsync<Person>(new CommandDefinition("select name, role, created_at from people", cancellationToken: cancellationToken));

        var endedDevices = TakeDevices(deviceRows.AsList());
        var endedKeys = TakeKeys(keyRows.AsList());
        var endedPeople = TakePeople(peopleRows.AsList());
        foreach (var id in endedDevices)
            await mediator.Publish(new DeviceAccessChanged(id), cancellationToken);
        foreach (var name in endedKeys)
            await mediator.Publish(new ApiKeyRemoved(name), cancellationToken);
        if (endedDevices.Count + endedKeys.Count + endedPeople > 0)
            LogEnded(endedDevices.Count, endedKeys.Count, endedPeople);
    }

    /// <summary>Answers the devices whose access has ended or changed.</summary>
    private List<string> TakeDevices(List<DeviceRow> rows)
    {
        var ended = new List<string>();
        foreach (var row in rows)
        {
            var device = devices.FindOrAdd(row.ExternalId);
            var isEnabled = row.Status == DeviceStatus.Active;
            var isOtherToken = !(device.TokenHash ?? []).AsSpan().SequenceEqual(row.TokenHash);
            if ((device.IsEnabled && !isEnabled) || (device.TokenHash is not null && isOtherToken))
                ended.Add(device.Id);
            device.IsRegistered = true;
            device.IsEnabled = isEnabled;
            device.LastSeen = device.PersistedLastSeen = row.LastSeenAt;
            // Only then: the token would be unknown for a moment.
            if (isOtherToken)
                devices.SetToken(device, row.TokenHash);
        }
        var known = rows.Select(row => row.ExternalId).ToHashSet(StringComparer.Ordinal);
        foreach (var device in devices.All.Where(d => d.IsRegistered && !known.Contains(d.Id)))
        {
            devices.Remove(device);
            ended.Add(device.Id);
        }
        return ended;
    }

    /// <summary>Answers the keys that have ended or changed.</summary>
    private List<string> TakeKeys(List<ApiKeyRow> rows)
    {
        var ended = new List<string>();
        var rowOf = rows.ToDictionary(row => row.Name, StringComparer.Ordinal);
        foreach (var key in apiKeys.Made.ToList())
        {
            if (rowOf.TryGetValue(key.Name, out var row) && row.Role == key.Role && row.KeyHash.AsSpan().SequenceEqual(key.KeyHash))
                continue;
            apiKeys.Remove(key.Name);
            ended.Add(key.Name);
        }
        foreach (var row in rows)
            apiKeys.Add(new ApiKeyEntry(row.Name, row.Role, row.KeyHash));
        return ended;
    }

    private int TakePeople(List<Person> rows)
    {
        var known = rows.Select(row => row.Name).ToHashSet(StringComparer.Ordinal);
        var gone = people.All.Where(person => !known.Contains(person.Key)).ToList();
        foreach (var (name, _) in gone)
            people.Remove(name);
        foreach (var row in rows)
            people.Set(row.Name, row.Role);
        return gone.Count;
    }

    [LoggerMessage(1155, LogLevel.Warning, "PostgreSQL has ended or changed the access of {Devices} devices, {Keys} API keys and {People} people that the mirror still had")]
    private partial void LogEnded(int devices, int keys, int people);
}
