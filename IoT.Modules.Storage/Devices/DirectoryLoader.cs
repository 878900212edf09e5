using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;

namespace IoT.Modules.Storage.Devices;

/// <summary>Fills the directories of devices, API keys and people from the database, at start.</summary>
internal sealed class DirectoryLoader(PostgresPools database, DeviceDirectory devices, ApiKeyDirectory apiKeys, PeopleDirectory people)
{
    private sealed record DeviceRow(string ExternalId, byte[]? TokenHash, string Status, DateTime? LastSeenAt);

    private sealed record ApiKeyRow(string Name, string Role, byte[] KeyHash);

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        foreach (var row in await connection.QueryAsync<DeviceRow>("select external_id, token_hash, status, last_seen_at from devices"))
        {
            var device = devices.FindOrAdd(row.ExternalId);
            device.IsRegistered = true;
            device.IsEnabled = row.Status == DeviceStatus.Active;
            device.LastSeen = device.PersistedLastSeen = row.LastSeenAt;
            devices.SetToken(device, row.TokenHash);
        }
        foreach (var row in await connection.QueryAsync<ApiKeyRow>("select name, role, key_hash from api_keys"))
            apiKeys.Add(new ApiKeyEntry(row.Name, row.Role, row.KeyHash));
        foreach (var person in await connection.QueryAsync<Person>("select name, role, created_at from people"))
            people.Set(person.Name, person.Role);
    }
}
