using System.Text.Json;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Devices;

/// <summary>A row of <c>devices</c>, as the queries here select it.</summary>
internal sealed record DeviceRow(
    string ExternalId, string? Name, string? Type, string? Location, string Labels, string Status, DateTime CreatedAt, DateTime? LastSeenAt)
{
    public const string Columns = "external_id, name, type, location, labels::text as labels, status, created_at, last_seen_at";

    /// <summary>The API's shape; what the directory has seen since the row was written is newer.</summary>
    public Device ToDevice(DeviceDirectory directory) => new(
        ExternalId, Name, Type, Location, JsonSerializer.Deserialize<Dictionary<string, string>>(Labels)!, Status, CreatedAt,
        directory.Find(ExternalId)?.LastSeen ?? LastSeenAt);
}
