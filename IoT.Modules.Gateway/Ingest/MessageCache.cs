using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// The newest message ids, each with the commit of its reading: a reading that was sent again is answered from here and is not logged
/// again. Bounded by count and bytes; what it no longer holds is found when the log is drained. All members under <see cref="Gate"/>.
/// </summary>
internal sealed class MessageCache
{
    private const long MiB = 1024 * 1024;

    // An entry's share of the dictionary and of the queue, and its string's header: about what 64 bits take.
    private const int EntryBytes = 144;

    private readonly Dictionary<(Guid Device, string MessageId), Task> _commits = [];
    private readonly Queue<(Guid Device, string MessageId)> _order = new();
    private readonly int _maxEntries;
    private readonly long _maxBytes;
    private long _bytes;

    public MessageCache(GatewayOptions options, IngestMetrics metrics)
    {
        (_maxEntries, _maxBytes) = (options.MessageCacheSize, options.MessageCacheMiB * MiB);
        metrics.Observe(this);
    }

    /// <summary>Held while readings with ids are looked up, appended to the log and remembered: of two with one id, one is appended.</summary>
    public Lock Gate { get; } = new();

    public int Count => _commits.Count;

    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>The commit of the reading that had this id; null when it is not known here.</summary>
    public Task? Find(DeviceEntry device, string messageId) => _commits.GetValueOrDefault((device.Uuid, messageId));

    public void Add(DeviceEntry device, string messageId, Task commit)
    {
        var key = (device.Uuid, messageId);
        if (!_commits.TryAdd(key, commit))
            return;
        _order.Enqueue(key);
        Volatile.Write(ref _bytes, _bytes + SizeOf(messageId));
        while (_commits.Count > _maxEntries || _bytes > _maxBytes)
        {
            var oldest = _order.Dequeue();
            _commits.Remove(oldest);
            Volatile.Write(ref _bytes, _bytes - SizeOf(oldest.MessageId));
        }
    }

    private static int SizeOf(string messageId) => EntryBytes + 2 * messageId.Length;
}
