using System.Collections.Concurrent;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Who may be signed in, and as what: a cookie of someone taken out since ends with the next request.</summary>
public sealed class PeopleDirectory
{
    private readonly ConcurrentDictionary<string, string> _roles = new(StringComparer.Ordinal);

    public bool Has(string name, string role) => _roles.TryGetValue(name, out var current) && current == role;

    internal IEnumerable<KeyValuePair<string, string>> All => _roles;

    internal string? RoleOf(string name) => _roles.GetValueOrDefault(name);

    internal void Set(string name, string role) => _roles[name] = role;

    internal void Remove(string name) => _roles.TryRemove(name, out _);
}
