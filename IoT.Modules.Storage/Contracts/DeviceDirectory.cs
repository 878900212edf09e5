using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A device as the hot paths know it: no look-up in the database for a reading or a connection.</summary>
public sealed class DeviceEntry
{
    private long _lastSeenTicks;
    private volatile bool _isMirrored;
    private long _rateBucket;

    internal DeviceEntry(string id, Guid uuid) => (Id, Uuid) = (id, uuid);

    /// <summary>The id outside.</summary>
    public string Id { get; }

    /// <summary>The id inside: <see cref="DeviceUuid"/>.</summary>
    public Guid Uuid { get; }

    /// <summary>SHA-256 of the token; null when it has none.</summary>
    public byte[]? TokenHash { get; internal set; }

    /// <summary>False: its readings are refused.</summary>
    public bool IsEnabled { get; internal set; } = true;

    /// <summary>False until there is a row in <c>devices</c>.</summary>
    public bool IsRegistered { get; internal set; }

    /// <summary>When its newest reading was stored, UTC; null when none has been yet.</summary>
    public DateTime? LastSeen
    {
        get => Volatile.Read(ref _lastSeenTicks) is var ticks and > 0 ? new DateTime(ticks, DateTimeKind.Utc) : null;
        internal set => Volatile.Write(ref _lastSeenTicks, value?.Ticks ?? 0);
    }

    /// <summary>How far the device has used up its rate; only the gateway reads and writes it, atomically. 0: not at all.</summary>
    public ref long RateBucket => ref _rateBucket;

    /// <summary>What of <see cref="LastSeen"/> stands in the database; only the flusher writes it.</summary>
    internal DateTime? PersistedLastSeen { get; set; }

    /// <summary>What <c>device_series</c> knows of one series that it sends: a look-up less for each reading of a device with one data_type. Null: nothing.</summary>
    internal KnownSeries? NewestSeries { get; set; }

    /// <summary>False while the mirror of credentials does not have its token as it is here; only the mirror makes it true.</summary>
    internal bool IsMirrored
    {
        get => _isMirrored;
        set => _isMirrored = value;
    }
}

/// <summary>What stands in <c>device_series</c> of a series, and what has come since. Changed by the writer of its device's lane.</summary>
internal sealed class KnownSeries(Guid device, string dataType)
{
    public Guid Device => device;

    public string DataType => dataType;

    /// <summary>When the hour of its newest reading begins, or a later one does; UTC.</summary>
    public long HourTicks { get; set; } = long.MinValue;

    /// <summary>Of its newest stored reading that is known here.</summary>
    public long NewestTicks;

    /// <summary>That is written down, or a later one.</summary>
    public long WrittenTicks;

    /// <summary>Readings after that.</summary>
    public int Unwritten;

    /// <summary>1: waits to be written.</summary>
    public int IsQueued;
}

/// <summary>
/// Every device and its credential, in memory: loaded from <c>devices</c> at start (from the mirror while a given PostgreSQL is away),
/// kept by the handlers that change them.
/// Tokens are 256 random bits, so that a plain SHA-256 is a sound hash for them and a token can be looked up by its hash.
/// </summary>
public sealed class DeviceDirectory
{
    private readonly ConcurrentDictionary<string, DeviceEntry> _byId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, DeviceEntry> _byTokenHash = new(StringComparer.Ordinal);

    /// <summary>Devices known, with and without a row in the database.</summary>
    public IEnumerable<DeviceEntry> All => _byId.Values;

    public DeviceEntry? Find(string deviceId) => _byId.GetValueOrDefault(deviceId);

    /// <summary>Without allocating: for ids still in a buffer.</summary>
    public DeviceEntry? Find(ReadOnlySpan<char> deviceId) =>
        _byId.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(deviceId, out var entry) ? entry : null;

    /// <summary>The device whose token this is, disabled ones included; null when there is none.</summary>
    public DeviceEntry? FindByToken(string token) => _byTokenHash.GetValueOrDefault(Convert.ToHexString(HashOf(token)));

    /// <summary>
    /// The device of that id; a new entry, without credential and not yet registered, when there is none. It gets its row with its
    /// first reading. Whoever calls this has decided that the sender may bring new devices.
    /// </summary>
    public DeviceEntry FindOrAdd(string deviceId) => _byId.GetOrAdd(deviceId, static id => new DeviceEntry(id, DeviceUuid.Of(id)));

    /// <summary>
    /// Takes an entry out again that <see cref="FindOrAdd"/> made for a reading which then was not taken in. A device that has a row
    /// or a token stays.
    /// </summary>
    public void Forget(DeviceEntry device)
    {
        if (device is { IsRegistered: false, TokenHash: null })
            _byId.TryRemove(new KeyValuePair<string, DeviceEntry>(device.Id, device));
    }

    /// <summary>
    /// The entry of a device that was taken out of the registry after it had sent: what it sent is stored, and does not register it
    /// again.
    /// </summary>
    public static DeviceEntry Removed(string deviceId) => new(deviceId, DeviceUuid.Of(deviceId)) { IsRegistered = true };

    /// <summary>Whether the token is that device's; false for a device without a token.</summary>
    public static bool Verify(DeviceEntry device, ReadOnlySpan<byte> tokenUtf8)
    {
        if (device.TokenHash is not { } expected)
            return false;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(tokenUtf8, hash);
        return CryptographicOperations.FixedTimeEquals(hash, expected);
    }

    internal static byte[] HashOf(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    internal void SetToken(DeviceEntry device, byte[]? tokenHash)
    {
        if (device.TokenHash is { } old)
            _byTokenHash.TryRemove(Convert.ToHexString(old), out _);
        device.TokenHash = tokenHash;
        if (tokenHash is not null)
            _byTokenHash[Convert.ToHexString(tokenHash)] = device;
        device.IsMirrored = false;
    }

    /// <summary>
    /// Lets a device in by a token before it has a row; it is registered, with the token, on its first reading.
    /// For the device that the start-up message names in its sample commands.
    /// </summary>
    public DeviceEntry Provision(string deviceId, string token)
    {
        var device = FindOrAdd(deviceId);
        if (!device.IsRegistered && device.TokenHash is null)
            SetToken(device, HashOf(token));
        return device;
    }

    internal void Remove(DeviceEntry device)
    {
        // Connections that still hold the entry may bring nothing in until they have ended.
        device.IsEnabled = false;
        SetToken(device, null);
        _byId.TryRemove(new KeyValuePair<string, DeviceEntry>(device.Id, device));
    }
}
