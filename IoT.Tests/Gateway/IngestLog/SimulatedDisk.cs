using IoT.Modules.Gateway.IngestLog;

namespace IoT.Tests.Gateway.IngestLog;

/// <summary>
/// A directory on a disk that keeps what was synced and, when it crashes, any subset of the sectors and directory entries that were not.
/// Afterwards every operation of whoever still holds it fails.
/// </summary>
internal sealed class SimulatedDisk
{
    private const int SectorBytes = 512;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Node> _durableNames = [];
    private readonly Dictionary<string, Node> _names = [];
    private readonly List<Action<Dictionary<string, Node>>> _unsyncedNames = [];
    private int _operationsLeft = int.MaxValue;

    /// <summary>Called with operation and file name before each operation; may throw or block.</summary>
    public Action<string, string>? Before { get; set; }

    public int Syncs { get; private set; }

    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_gate)
                return [.. _names.Keys.Order(StringComparer.Ordinal)];
        }
    }

    public ILogFiles Mount() => new Files(this);

    /// <summary>Everything fails after so many more changes.</summary>
    public void CrashAfter(int operations) => _operationsLeft = operations;

    /// <summary>The bytes as a process sees them; changing them is damage.</summary>
    public byte[] BytesOf(string name)
    {
        lock (_gate)
            return _names[name].Current;
    }

    /// <summary>Damages the file, durably.</summary>
    public void Damage(string name, Action<byte[]> change)
    {
        lock (_gate)
        {
            change(_names[name].Current);
            _names[name].Sync();
        }
    }

    public void Put(string name, byte[] content)
    {
        lock (_gate)
            _names[name] = _durableNames[name] = new Node(content);
    }

    public void Remove(string name)
    {
        lock (_gate)
        {
            _names.Remove(name);
            _durableNames.Remove(name);
        }
    }

    /// <summary>Whether the bytes are at rest in a segment whose name is at rest too.</summary>
    public bool IsDurable(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            foreach (var (name, node) in _durableNames)
            {
                if (name.EndsWith(".log", StringComparison.Ordinal) && node.Durable.AsSpan().IndexOf(bytes) >= 0)
                    return true;
            }
            return false;
        }
    }

    /// <summary>The disk after a power cut. With <paramref name="processOnly"/> only the process died: the page cache is still there.</summary>
    public SimulatedDisk Crash(Random random, bool processOnly = false)
    {
        var after = new SimulatedDisk();
        lock (_gate)
        {
            _operationsLeft = 0;
            var survival = random.Next(5) / 4.0;
            var names = new Dictionary<string, Node>(processOnly ? _names : _durableNames);
            if (!processOnly)
            {
                foreach (var change in _unsyncedNames.Where(_ => random.NextDouble() < survival))
                    change(names);
            }
            foreach (var (name, node) in names)
                after._names[name] = after._durableNames[name] = processOnly ? node.Copy() : new Node(node.AfterCrash(random, survival));
            if (processOnly)
            {
                after._durableNames.Clear();
                foreach (var (name, node) in _durableNames)
                    after._durableNames[name] = after._names.GetValueOrDefault(name) ?? node.Copy();
                // Names that were not synced stay so: all or none of them at the next crash.
                after._unsyncedNames.Add(target =>
                {
                    target.Clear();
                    foreach (var (name, node) in after._names)
                        target[name] = node;
                });
            }
        }
        return after;
    }

    private void Do(string operation, string name, Action change)
    {
        Before?.Invoke(operation, name);
        lock (_gate)
        {
            if (_operationsLeft <= 0)
                throw new InvalidOperationException("The disk has crashed.");
            _operationsLeft--;
            if (operation is "fdatasync" or "fsync" or "fsync directory")
            {
                // The power may go before the sync is done.
                if (_operationsLeft == 0)
                    throw new InvalidOperationException("The disk crashes.");
                Syncs++;
            }
            change();
            if (_operationsLeft == 0)
                throw new InvalidOperationException("The disk crashes.");
        }
    }

    private void ChangeNames(Action<Dictionary<string, Node>> change)
    {
        change(_names);
        _unsyncedNames.Add(change);
    }

    private sealed class Node(byte[] durable)
    {
        private readonly List<(int Offset, byte[] Bytes)> _unsynced = [];

        public byte[] Durable { get; private set; } = durable;

        public byte[] Current { get; private set; } = (byte[])durable.Clone();

        /// <summary>Zeros that are not on the disk yet.</summary>
        public static Node New(long bytes) => new([]) { Current = new byte[bytes] };

        public void Write(ReadOnlySpan<byte> bytes, int offset)
        {
            if (offset + bytes.Length > Current.Length)
                throw new InvalidOperationException("The log writes beyond what it has allocated.");
            bytes.CopyTo(Current.AsSpan(offset));
            _unsynced.Add((offset, bytes.ToArray()));
        }

        public void Sync()
        {
            Durable = (byte[])Current.Clone();
            _unsynced.Clear();
        }

        public Node Copy()
        {
            var copy = new Node((byte[])Durable.Clone()) { Current = (byte[])Current.Clone() };
            copy._unsynced.AddRange(_unsynced);
            return copy;
        }

        public byte[] AfterCrash(Random random, double survival)
        {
            var image = new byte[Durable.Length > 0 || random.NextDouble() < survival ? Current.Length : 0];
            Durable.CopyTo(image.AsSpan());
            if (image.Length == 0)
                return image;
            foreach (var (offset, bytes) in _unsynced)
            {
                for (var at = offset; at < offset + bytes.Length;)
                {
                    var next = Math.Min(offset + bytes.Length, (at / SectorBytes + 1) * SectorBytes);
                    if (random.NextDouble() < survival)
                        bytes.AsSpan(at - offset, next - at).CopyTo(image.AsSpan(at));
                    at = next;
                }
            }
            return image;
        }
    }

    private sealed class Files(SimulatedDisk disk) : ILogFiles
    {
        public IReadOnlyList<string> List() => disk.Names;

        public ILogFile Create(string name, long bytes)
        {
            var node = Node.New(bytes);
            disk.Do("create", name, () => disk.ChangeNames(names => names[name] = node));
            return new OpenFile(disk, name, node);
        }

        public ILogFile Open(string name)
        {
            lock (disk._gate)
                return new OpenFile(disk, name, disk._names[name]);
        }

        public void Rename(string from, string to) => disk.Do("rename", from, () => disk.ChangeNames(names =>
        {
            if (names.Remove(from, out var node))
                names[to] = node;
        }));

        public void Delete(string name) => disk.Do("delete", name, () => disk.ChangeNames(names => names.Remove(name)));

        public void SyncDirectory() => disk.Do("fsync directory", "", () =>
        {
            disk._unsyncedNames.Clear();
            disk._durableNames.Clear();
            foreach (var (name, node) in disk._names)
                disk._durableNames[name] = node;
        });

        public void Dispose()
        {
        }
    }

    private sealed class OpenFile(SimulatedDisk disk, string name, Node node) : ILogFile
    {
        public long Length => node.Current.Length;

        public int Read(Span<byte> target, long offset)
        {
            lock (disk._gate)
            {
                var count = (int)Math.Clamp(node.Current.Length - offset, 0, target.Length);
                if (count == 0)
                    return 0;
                node.Current.AsSpan((int)offset, count).CopyTo(target);
                return count;
            }
        }

        public void Write(ReadOnlySpan<byte> source, long offset)
        {
            var bytes = source.ToArray();
            disk.Do("write", name, () => node.Write(bytes, (int)offset));
        }

        public void SyncData() => disk.Do("fdatasync", name, node.Sync);

        public void Sync() => disk.Do("fsync", name, node.Sync);

        public void Dispose()
        {
        }
    }
}
