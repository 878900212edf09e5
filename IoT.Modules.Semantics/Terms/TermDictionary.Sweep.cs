using System.Collections;

namespace IoT.Modules.Semantics.Terms;

/// <summary>
/// Forgetting what nobody needs, in two steps. First the terms that nothing uses are noted; a term that is interned, found or put into a
/// fact afterwards is no longer among them. When all who held terms at that moment have let go, nobody can know the rest, and it goes.
/// </summary>
internal sealed partial class TermDictionary
{
    /// <summary>So many terms, and so many bytes of their text, are worth no sweep.</summary>
    private const int LeastTerms = 50_000;
    private const long LeastBytes = 16 << 20;
    private const int LeastEntries = 1 << 10;

    private int _termsForSweep = LeastTerms;
    private long _bytesForSweep = LeastBytes;
    private bool _isSweeping;
    private int _epoch;
    private int _leases;
    private int _olderLeases;

    public bool WantsSweep => !_isSweeping && (_live > _termsForSweep || Volatile.Read(ref _bytes) > _bytesForSweep);

    /// <summary>Keeps all terms that are there or come until it is disposed of: for those held outside of facts.</summary>
    public IDisposable Lease()
    {
        lock (_lock)
        {
            _leases++;
            return new TermLease(this, _epoch);
        }
    }

    /// <summary>Notes what is not used.</summary>
    public void BeginSweep(BitArray used)
    {
        lock (_lock)
        {
            var entries = _storage.Entries;
            for (var id = Known.Count; id < used.Length; id++)
            {
                if (!used[id] || entries[id].Kind != TermKind.List)
                    continue;
                foreach (var item in Items(id))
                    used[item] = true;
            }
            for (var id = Known.Count; id < used.Length; id++)
            {
                ref var entry = ref entries[id];
                if (entry.Length >= 0 && !used[id] && (entry.Flags & Entry.Pinned) == 0 && entry.Kind != TermKind.Language)
                    entry.Flags |= Entry.Unused;
            }
            (_isSweeping, _epoch, _olderLeases, _leases) = (true, _epoch + 1, _leases, 0);
        }
    }

    /// <summary>Forgets what was noted and not used since, if everybody has let go; whether it has.</summary>
    public bool EndSweep()
    {
        lock (_lock)
        {
            if (!_isSweeping || _olderLeases != 0)
                return false;
            var old = _storage;
            while (_count > Known.Count && IsGone(ref old.Entries[_count - 1]))
                _count--;
            var size = LeastEntries;
            while (size <= _count)
                size *= 2;
            var entries = new Entry[size];
            Array.Copy(old.Entries, entries, _count);
            var numbers = new Number[256];
            var (chunks, used) = (new List<byte[]> { new byte[ChunkSize] }, 0);
            (_bytes, _live, _free, _numberCount) = (ChunkSize, 0, 0, 1);
            for (var id = _count - 1; id > 0; id--)
            {
                ref var entry = ref entries[id];
                if (IsGone(ref entry))
                {
                    entry = new Entry { Length = -1, Next = _free };
                    _free = id;
                    continue;
                }
                _live++;
                if (entry.Number != 0)
                {
                    if (_numberCount == numbers.Length)
                        Array.Resize(ref numbers, numbers.Length * 2);
                    numbers[_numberCount] = old.Numbers[entry.Number];
                    entry.Number = _numberCount++;
                }
                var text = old.Chunks[entry.Chunk].AsSpan(entry.Start, entry.Length);
                if (used + text.Length > chunks[^1].Length)
                {
                    chunks.Add(new byte[Math.Max(ChunkSize, text.Length)]);
                    _bytes += chunks[^1].Length;
                    used = 0;
                }
                text.CopyTo(chunks[^1].AsSpan(used));
                (entry.Chunk, entry.Start) = (chunks.Count - 1, used);
                used = Math.Min(used + Align(text.Length), chunks[^1].Length);
            }
            Chain(entries);
            (_chunk, _used) = (chunks.Count - 1, used);
            _storage = new Storage(entries, [.. chunks], numbers);
            _isSweeping = false;
            (_termsForSweep, _bytesForSweep) = (Math.Max(LeastTerms, _live * 2), Math.Max(LeastBytes, _bytes * 2));
            return true;
        }
    }

    /// <summary>A sweep has begun: terms of new facts are to be kept.</summary>
    public bool IsSweeping => Volatile.Read(ref _isSweeping);

    public void Keep(int subject, int predicate, int @object)
    {
        lock (_lock)
        {
            Keep(subject);
            Keep(predicate);
            Keep(@object);
        }
    }

    private static bool IsGone(ref Entry entry) => entry.Length < 0 || (entry.Flags & Entry.Unused) != 0;

    // It is used again, and with a list what it holds.
    private void Keep(int id)
    {
        ref var entry = ref _storage.Entries[id];
        entry.Flags &= unchecked((byte)~Entry.Unused);
        if (entry.Kind != TermKind.List)
            return;
        foreach (var item in Items(id))
            _storage.Entries[item].Flags &= unchecked((byte)~Entry.Unused);
    }

    private void Release(int epoch)
    {
        lock (_lock)
        {
            if (epoch == _epoch)
                _leases--;
            else
                _olderLeases--;
        }
    }

    private sealed class TermLease(TermDictionary dictionary, int epoch) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
                dictionary.Release(epoch);
        }
    }
}
