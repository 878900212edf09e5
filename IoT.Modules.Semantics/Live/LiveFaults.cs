using System.Collections.Concurrent;

namespace IoT.Modules.Semantics.Live;

/// <summary>What is wrong with semantics now, by part: for its health, its alarms and nobody else.</summary>
internal sealed class LiveFaults
{
    private readonly ConcurrentDictionary<string, string> _faults = new(StringComparer.Ordinal);

    public IReadOnlyList<(string Part, string Reason)> Standing => [.. _faults.OrderBy(fault => fault.Key, StringComparer.Ordinal).Select(fault => (fault.Key, fault.Value))];

    public bool Stands(string part) => _faults.ContainsKey(part);

    /// <summary>True: it is new.</summary>
    public bool Report(string part, string reason)
    {
        var isNew = !_faults.TryGetValue(part, out var before) || before != reason;
        _faults[part] = reason;
        return isNew;
    }

    public bool Mend(string part) => _faults.TryRemove(part, out _);
}
