using System.Runtime.InteropServices;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Semantics.Live;

/// <summary>
/// The latest value of every device and member, by timestamp, then by arrival. Whoever brings readings only leaves them here: what has
/// not been taken when the next comes is replaced by it, so that nobody waits, nothing grows with the rate, and the last state is never
/// lost.
/// </summary>
internal sealed class LatestValues(DeviceDirectory directory, SemanticsOptions options) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, LiveDevice> _devices = [];
    private readonly SemaphoreSlim _some = new(0, 1);
    private List<LiveDevice> _pendingDevices = [];
    private List<LatestValue> _pendingValues = [];
    private List<LatestValue> _unwatched = [];
    private List<LatestValue> _unsaved = [];
    private HashSet<string>? _toldWhileListing;
    private Func<string?, Metric, bool> _isMapped = (_, _) => false;
    private int _count;
    private long _leftOut;
    private long _lost;
    private long _received;
    private long _converted;
    private HashSet<long> _hours = [];
    private long _lastHour = -1;
    private long _pendingSince;

    /// <summary>Values known.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Values that found no room.</summary>
    public long LeftOut => Interlocked.Read(ref _leftOut);

    /// <summary>How often readings were stored and could not be followed.</summary>
    public long Lost => Interlocked.Read(ref _lost);

    /// <summary>Values that came with readings.</summary>
    public long Received => Interlocked.Read(ref _received);

    /// <summary>Those of them that their device's profile maps.</summary>
    public long Converted => Interlocked.Read(ref _converted);

    public int Pending
    {
        get
        {
            lock (_lock)
                return _pendingValues.Count + _pendingDevices.Count;
        }
    }

    /// <summary>When the oldest that waits came, by the monotonic clock; 0: nothing waits.</summary>
    public long PendingSince
    {
        get
        {
            lock (_lock)
                return _pendingSince;
        }
    }

    /// <summary>Readings could not be followed: they are to be looked for in the database.</summary>
    public void Lose() => Interlocked.Increment(ref _lost);

    /// <summary>Until something has changed.</summary>
    public Task<bool> WaitAsync(TimeSpan patience, CancellationToken cancellationToken) => _some.WaitAsync(patience, cancellationToken);

    /// <summary>Somebody else wants the one who waits to look.</summary>
    public void Wake()
    {
        lock (_lock)
            WakeUp();
    }

    /// <summary>A reading's values, read from its payload.</summary>
    public void Add(Guid uuid, string? deviceId, long ticks, long readingId, List<(Metric Metric, LiveValue Value)> members, long now, bool isNews = true)
    {
        lock (_lock)
        {
            var device = DeviceOf(uuid);
            if (deviceId is not null && !device.IsRegistered && directory.Find(deviceId) is { IsRegistered: true })
                Register(device, deviceId, device.Type, device.Location, now);
            if (ticks / TimeSpan.TicksPerHour is var hour && hour != _lastHour)
                _hours.Add(_lastHour = hour);
            foreach (var (metric, value) in members)
            {
                if (EntryOf(device, metric) is not { } entry)
                    continue;
                if (isNews)
                    Count1(entry);
                if ((ticks, readingId).CompareTo((entry.Ticks, entry.ReadingId)) <= 0)
                    continue;
                (entry.Value, entry.Ticks, entry.ReadingId) = (value, ticks, readingId);
                MarkPending(entry, now);
                if (!entry.IsUnsaved)
                {
                    entry.IsUnsaved = true;
                    _unsaved.Add(entry);
                }
            }
        }
    }

    /// <summary>A value out of the database.</summary>
    public void Load(Guid uuid, string metricPath, Metrics metrics, long ticks, long readingId, LiveValue value, long now)
    {
        lock (_lock)
        {
            if (EntryOf(DeviceOf(uuid), metrics.Of(metricPath)) is not { } entry || (ticks, readingId).CompareTo((entry.Ticks, entry.ReadingId)) <= 0)
                return;
            (entry.Value, entry.Ticks, entry.ReadingId) = (value, ticks, readingId);
            MarkPending(entry, now);
        }
    }

    /// <summary>A device as the registry has it.</summary>
    public void Set(string deviceId, string? type, string? location, bool isRegistered, long now)
    {
        lock (_lock)
        {
            _toldWhileListing?.Add(deviceId);
            var device = DeviceOf(DeviceUuid.Of(deviceId));
            if (isRegistered)
            {
                Register(device, deviceId, type, location, now);
                return;
            }
            (device.IsRegistered, device.Type, device.Location) = (false, null, null);
            MarkPending(device, now);
        }
    }

    /// <summary>The registry is going to be listed.</summary>
    public void BeginRegistry()
    {
        lock (_lock)
            _toldWhileListing = new HashSet<string>(StringComparer.Ordinal);
    }

    /// <summary>A device as a list of the registry has it, unless something newer was told meanwhile.</summary>
    public void SetListed(string deviceId, string? type, string? location, long now)
    {
        lock (_lock)
        {
            var device = DeviceOf(DeviceUuid.Of(deviceId));
            if (_toldWhileListing?.Contains(deviceId) != true && !(device.IsRegistered && device.Type == type && device.Location == location))
                Register(device, deviceId, type, location, now);
        }
    }

    /// <summary>All of the registry was listed; what was not in it is not registered, unless it came meanwhile.</summary>
    public void EndRegistry(HashSet<string> listed, long now)
    {
        lock (_lock)
        {
            foreach (var device in _devices.Values.Where(d => d.IsRegistered && !listed.Contains(d.Id!) && directory.Find(d.Id!) is not { IsRegistered: true }))
            {
                (device.IsRegistered, device.Type, device.Location) = (false, null, null);
                MarkPending(device, now);
            }
            _toldWhileListing = null;
        }
    }

    /// <summary>A new knowledge wants everything.</summary>
    public void MarkAllPending(long now)
    {
        lock (_lock)
        {
            foreach (var device in _devices.Values)
            {
                MarkPending(device, now);
                foreach (var entry in device.Values.Values)
                    MarkPending(entry, now);
            }
        }
    }

    /// <summary>What has changed since; empty when nothing has.</summary>
    /// <param name="withUnwatched">And the values that no rule looks at.</param>
    public LiveChanges Take(bool withUnwatched)
    {
        lock (_lock)
        {
            var (devices, values) = (_pendingDevices, _pendingValues);
            (_pendingDevices, _pendingValues, _pendingSince) = ([], [], 0);
            if (withUnwatched && _unwatched.Count > 0)
            {
                values.AddRange(_unwatched);
                _unwatched = [];
            }
            var takenDevices = devices.ConvertAll(device =>
            {
                device.IsPending = false;
                return new LiveDeviceState(device, device.IsRegistered, device.Type, device.Location);
            });
            var takenValues = values.ConvertAll(entry =>
            {
                entry.IsPending = false;
                return new LiveValueState(entry, entry.Value, entry.Ticks, entry.ReadingId);
            });
            return new LiveChanges(takenDevices, takenValues);
        }
    }

    /// <summary>All values of a device that has come into the registry, as they are now.</summary>
    public IReadOnlyList<LiveValueState> ValuesOf(LiveDevice device)
    {
        lock (_lock)
            return [.. device.Values.Values.Select(entry => new LiveValueState(entry, entry.Value, entry.Ticks, entry.ReadingId))];
    }

    /// <summary>What is to be written to the database.</summary>
    public IReadOnlyList<LiveValueState> TakeUnsaved()
    {
        lock (_lock)
        {
            var unsaved = _unsaved;
            _unsaved = [];
            return unsaved.ConvertAll(entry =>
            {
                entry.IsUnsaved = false;
                return new LiveValueState(entry, entry.Value, entry.Ticks, entry.ReadingId);
            });
        }
    }

    /// <summary>It could not be written.</summary>
    public void PutBack(IReadOnlyList<LiveValueState> values)
    {
        lock (_lock)
        {
            foreach (var value in values.Where(value => !value.Entry.IsUnsaved))
            {
                value.Entry.IsUnsaved = true;
                _unsaved.Add(value.Entry);
            }
        }
    }

    /// <summary>The hours (since year 1, UTC) in which the timestamps are of readings that came since it was asked last.</summary>
    public IReadOnlyCollection<long> TakeHours()
    {
        lock (_lock)
        {
            if (_hours.Count == 0)
                return [];
            var hours = _hours;
            (_hours, _lastHour) = ([], -1);
            return hours;
        }
    }

    /// <summary>The value that a fact came from; null when it is no reading's.</summary>
    public LatestValue? Find(string deviceIri, string metricIri, Metrics metrics)
    {
        if (!deviceIri.StartsWith(Names.Device, StringComparison.Ordinal) || !metricIri.StartsWith(Names.Metric, StringComparison.Ordinal))
            return null;
        var id = Uri.UnescapeDataString(deviceIri[Names.Device.Length..]);
        if (!DeviceId.IsValid(id) || metrics.Find(metricIri[Names.Metric.Length..]) is not { } metric)
            return null;
        lock (_lock)
            return _devices.GetValueOrDefault(DeviceUuid.Of(id))?.Values.GetValueOrDefault(metric);
    }

    /// <summary>For each of the values of registered devices, whether a profile maps it.</summary>
    public void MarkConverted(Func<string? /* type */, Metric, bool> isMapped)
    {
        lock (_lock)
        {
            _isMapped = isMapped;
            foreach (var entry in _devices.Values.SelectMany(device => device.Values.Values))
                entry.IsConverted = isMapped(entry.Device.Type, entry.Metric);
        }
    }

    /// <summary>A device's type; null: it has none, or is not in the registry.</summary>
    public string? TypeOf(string deviceId)
    {
        lock (_lock)
            return _devices.GetValueOrDefault(DeviceUuid.Of(deviceId))?.Type;
    }

    /// <summary>Values that no profile maps, those that came most often first.</summary>
    public IReadOnlyList<(string DeviceId, string Member, long Count)> Unmapped(int limit)
    {
        lock (_lock)
        {
            return [.. _devices.Values.Where(device => device.Id is not null).SelectMany(device => device.Values.Values).Where(entry => entry.Unmapped > 0)
                .OrderByDescending(entry => entry.Unmapped).ThenBy(entry => entry.Device.Id, StringComparer.Ordinal).Take(limit)
                .Select(entry => (entry.Device.Id!, entry.Metric.Path, entry.Unmapped))];
        }
    }

    public void Dispose() => _some.Dispose();

    private LiveDevice DeviceOf(Guid uuid)
    {
        ref var device = ref CollectionsMarshal.GetValueRefOrAddDefault(_devices, uuid, out _);
        return device ??= new LiveDevice(uuid);
    }

    private LatestValue? EntryOf(LiveDevice device, Metric metric)
    {
        if (device.Values.TryGetValue(metric, out var entry))
            return entry;
        if (_count >= options.MaxLatestValues)
        {
            Interlocked.Increment(ref _leftOut);
            return null;
        }
        entry = new LatestValue(device, metric) { IsConverted = _isMapped(device.Type, metric) };
        device.Values.Add(metric, entry);
        _count++;
        return entry;
    }

    private void Count1(LatestValue entry)
    {
        _received++;
        if (entry.IsConverted)
            _converted++;
        else
            entry.Unmapped++;
    }

    private void Register(LiveDevice device, string id, string? type, string? location, long now)
    {
        (device.Id, device.IsRegistered) = (id, true);
        device.Iri ??= Names.OfDevice(id);
        (device.Type, device.Location) = (type, location);
        MarkPending(device, now);
    }

    private void MarkPending(LiveDevice device, long now)
    {
        if (device.IsPending)
            return;
        device.IsPending = true;
        _pendingDevices.Add(device);
        Began(now);
    }

    private void MarkPending(LatestValue entry, long now)
    {
        if (entry.IsPending)
            return;
        entry.IsPending = true;
        if (!entry.Metric.IsWatched)
        {
            _unwatched.Add(entry);
            return;
        }
        _pendingValues.Add(entry);
        Began(now);
    }

    private void Began(long now)
    {
        if (_pendingSince == 0)
            _pendingSince = now;
        WakeUp();
    }

    private void WakeUp()
    {
        if (_some.CurrentCount == 0)
            _some.Release();
    }
}
