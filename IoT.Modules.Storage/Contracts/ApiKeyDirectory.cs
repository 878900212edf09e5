using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace IoT.Modules.Storage.Contracts;

/// <summary>An API key: its name, one of <see cref="Roles"/>, and the SHA-256 of the key.</summary>
public sealed record ApiKeyEntry(string Name, string Role, byte[] KeyHash);

/// <summary>Every API key, in memory, <c>Security__AdminApiKey</c> among them under the name <c>admin</c>.</summary>
public sealed class ApiKeyDirectory
{
    /// <summary>The name under which <c>Security__AdminApiKey</c> signs in.</summary>
    public const string AdminName = "admin";

    private readonly ConcurrentDictionary<string, ApiKeyEntry> _byHash = new(StringComparer.Ordinal);
    private readonly ApiKeyEntry? _fromSettings;

    public ApiKeyDirectory(SecurityOptions security)
    {
        if (!string.IsNullOrEmpty(security.AdminApiKey))
            Add(_fromSettings = new ApiKeyEntry(AdminName, Roles.Admin, HashOf(security.AdminApiKey)));
    }

    /// <summary>The entry of a key; null when there is none.</summary>
    public ApiKeyEntry? Find(string key) => _byHash.GetValueOrDefault(Convert.ToHexString(HashOf(key)));

    /// <summary>The role of the key by that name; null when there is none.</summary>
    public string? RoleOf(string name) => _byHash.Values.FirstOrDefault(entry => entry.Name == name)?.Role;

    /// <summary>Those that are in the database, not the one of the settings.</summary>
    internal IEnumerable<ApiKeyEntry> Made => _byHash.Values.Where(entry => !ReferenceEquals(entry, _fromSettings));

    internal static byte[] HashOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    internal void Add(ApiKeyEntry entry) => _byHash[Convert.ToHexString(entry.KeyHash)] = entry;

    internal void Remove(string name)
    {
        foreach (var (hash, entry) in _byHash)
        {
            if (entry.Name == name)
                _byHash.TryRemove(hash, out _);
        }
    }
}
