using System.Buffers;
using System.Collections;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

/// <summary>
/// Every term once, under a number. Interning takes a lock; reading what has been interned does not. IRIs stay for good; literals that
/// no fact uses any more go when <see cref="Sweep"/> is called, so that years of changing readings don't fill the memory.
/// </summary>
internal sealed class TermDictionary
{
    private const int ChunkSize = 1 << 20;

    private readonly Lock _lock = new();
    private Entry[] _entries = new Entry[1024];
    private int[] _buckets = new int[1024];
    private byte[][] _chunks = [new byte[64 * 1024]];
    private Number[] _numbers = new Number[256];
    private int _count = 1;
    private int _chunk;
    private int _bank;
    private int _used;
    private int _numberCount = 1;
    private int _free;
    private int _freeNumber;
    private int _live;
    private long _bytes;
    private int _leases;

    public TermDictionary()
    {
        foreach (var iri in Known.Iris)
            Intern(TermKind.Iri, Encoding.UTF8.GetBytes(iri), 0);
        Intern(TermKind.Literal, "true"u8, Known.Boolean);
        Intern(TermKind.Literal, "false"u8, Known.Boolean);
    }

    /// <summary>How many terms there are.</summary>
    public int Count => _live;

    /// <summary>One more than the greatest index in use.</summary>
    public int Limit => Volatile.Read(ref _count);

    /// <summary>Memory held, bytes.</summary>
    public long Bytes => Volatile.Read(ref _bytes) + ((long)_entries.Length * Marshal.SizeOf<Entry>()) + (_buckets.Length * 4L) + (_numbers.Length * 40L);

    public TermId Intern(Term term)
    {
        ArgumentNullException.ThrowIfNull(term);
        return new TermId(term.Kind switch
        {
            TermKind.Iri => Intern(TermKind.Iri, term.Value, 0),
            TermKind.Blank => Intern(TermKind.Blank, term.Value, 0),
            TermKind.Literal when term.Language is { } language => InternLanguage(Encoding.UTF8.GetBytes(term.Value), Encoding.UTF8.GetBytes(language)),
            TermKind.Literal => Intern(TermKind.Literal, term.Value, Intern(TermKind.Iri, term.Datatype ?? Xsd.String, 0)),
            _ => throw new ArgumentException($"a term of kind {term.Kind} can't be interned by name", nameof(term)),
        });
    }

    public TermId InternIri(string iri) => new(Intern(TermKind.Iri, iri, 0));

    public TermId InternIri(ReadOnlySpan<byte> iri) => new(Intern(TermKind.Iri, iri, 0));

    /// <summary>A literal by its lexical form (UTF-8) and the index of its datatype.</summary>
    public TermId InternLiteral(ReadOnlySpan<byte> lexical, TermId datatype) => new(Intern(TermKind.Literal, lexical, datatype.Value));

    /// <summary>A literal with a language tag, which stays as it is written.</summary>
    public int InternLanguage(ReadOnlySpan<byte> lexical, ReadOnlySpan<byte> language) =>
        Intern(TermKind.Literal, lexical, ~Intern(TermKind.Language, language, 0));

    public int Intern(in Number number)
    {
        Span<byte> bytes = stackalloc byte[64];
        var lexical = number.Lexical;
        if (lexical.Length > bytes.Length)
            bytes = new byte[lexical.Length];
        Encoding.UTF8.GetBytes(lexical, bytes);
        return Intern(TermKind.Literal, bytes[..lexical.Length], number.Datatype);
    }

    public int InternString(string text) => Intern(TermKind.Literal, text, Known.String);

    /// <summary>The one term for a list of terms.</summary>
    public int InternList(ReadOnlySpan<int> items) => Intern(TermKind.List, MemoryMarshal.AsBytes(items), 0);

    /// <summary>A blank node made by a rule: the same one for the same rule, label and arguments.</summary>
    public int InternSkolem(ulong rule, int label, ReadOnlySpan<int> arguments)
    {
        var hash = Mix(rule, (ulong)label);
        foreach (var argument in arguments)
        {
            var bytes = Key(argument);
            hash = Mix(hash, (ulong)(uint)Hash(Kind(argument), bytes, 0));
            hash = Mix(hash, Long(bytes));
        }
        Span<byte> text = stackalloc byte[17];
        text[0] = (byte)'s';
        hash.TryFormat(text[1..], out _, "x16", System.Globalization.CultureInfo.InvariantCulture);
        return Intern(TermKind.Blank, text, 0);
    }

    public TermId Find(Term term)
    {
        ArgumentNullException.ThrowIfNull(term);
        var extra = 0;
        if (term.Kind == TermKind.Literal)
        {
            extra = term.Language is { } language
                ? ~Find(TermKind.Language, Encoding.UTF8.GetBytes(language), 0)
                : Find(TermKind.Iri, Encoding.UTF8.GetBytes(term.Datatype ?? Xsd.String), 0);
            if (extra is 0 or -1)
                return default;
        }
        return new TermId(Find(term.Kind, Encoding.UTF8.GetBytes(term.Value), extra));
    }

    public int Find(TermKind kind, ReadOnlySpan<byte> key, int extra)
    {
        lock (_lock)
            return Find(kind, key, extra, Hash(kind, key, extra));
    }

    public int Intern(TermKind kind, ReadOnlySpan<byte> key, int extra)
    {
        var hash = Hash(kind, key, extra);
        lock (_lock)
        {
            var found = Find(kind, key, extra, hash);
            return found != 0 ? found : Add(kind, key, extra, hash);
        }
    }

    public Term this[TermId id] => Get(id.Value);

    public Term Get(int id)
    {
        var entries = Volatile.Read(ref _entries);
        ref var entry = ref entries[id];
        var text = Encoding.UTF8.GetString(Key(id));
        return entry.Kind switch
        {
            TermKind.Literal when entry.Extra < 0 => Term.LanguageLiteral(text, Encoding.UTF8.GetString(Key(~entry.Extra))),
            TermKind.Literal => Term.Literal(text, Encoding.UTF8.GetString(Key(entry.Extra))),
            _ => new Term(entry.Kind, text),
        };
    }

    public TermKind Kind(int id) => Volatile.Read(ref _entries)[id].Kind;

    public bool IsLiteral(int id) => Kind(id) == TermKind.Literal;

    /// <summary>Index of a literal's datatype, or the complement of its language's.</summary>
    public int Datatype(int id) => Volatile.Read(ref _entries)[id].Extra;

    /// <summary>IRI, label or lexical form, in UTF-8.</summary>
    public ReadOnlySpan<byte> Key(int id)
    {
        ref var entry = ref Volatile.Read(ref _entries)[id];
        return Volatile.Read(ref _chunks)[entry.Chunk].AsSpan(entry.Start, entry.Length);
    }

    public string Text(int id) => Encoding.UTF8.GetString(Key(id));

    public ReadOnlySpan<int> Items(int list) => MemoryMarshal.Cast<byte, int>(Key(list));

    /// <summary>Whether the term is a literal with a valid numeric value.</summary>
    public bool TryNumber(int id, out Number number)
    {
        var slot = Volatile.Read(ref _entries)[id].Number;
        number = slot == 0 ? default : Volatile.Read(ref _numbers)[slot];
        return slot != 0;
    }

    /// <summary>Keeps literals from being swept until it is disposed of: for terms held outside of facts.</summary>
    public IDisposable Lease()
    {
        Interlocked.Increment(ref _leases);
        return new TermLease(this);
    }

    /// <summary>
    /// Forgets the literals, blank nodes and lists that are not marked; false when more leases are held than those of whom everything is
    /// marked. IRIs can be read meanwhile: entries are copied, and the texts that they had stand until the next time.
    /// </summary>
    public bool Sweep(BitArray marked, int leases)
    {
        lock (_lock)
        {
            if (Volatile.Read(ref _leases) > leases)
                return false;
            for (var id = 1; id < _count && id < marked.Length; id++)
            {
                // What a list that stays holds, stays.
                if (marked[id] && _entries[id].Kind == TermKind.List)
                    foreach (var item in Items(id))
                        marked[item] = true;
            }
            var entries = _entries.ToArray();
            var chunks = _chunks.ToArray();
            _bank = 1 - _bank;
            for (var chunk = _bank; chunk < chunks.Length; chunk += 2)
                chunks[chunk] = [];
            (_chunk, _used) = (_bank - 2, 0);
            Array.Clear(_buckets);
            for (var id = 1; id < _count; id++)
            {
                ref var entry = ref entries[id];
                if (entry.Length < 0)
                    continue;
                if (id >= Known.Count && entry.Kind is TermKind.Literal or TermKind.Blank or TermKind.List && (id >= marked.Length || !marked[id]))
                {
                    if (entry.Number != 0)
                    {
                        _numbers[entry.Number] = default;
                        _numberNext ??= [];
                        _numberNext.Push(entry.Number);
                        _freeNumber++;
                    }
                    entry = new Entry { Length = -1, Next = _free };
                    _free = id;
                    _live--;
                    continue;
                }
                var key = _chunks[entry.Chunk].AsSpan(entry.Start, entry.Length);
                chunks = WithRoom(chunks, key.Length);
                key.CopyTo(chunks[_chunk].AsSpan(_used));
                (entry.Chunk, entry.Start) = (_chunk, _used);
                _used = Math.Min(_used + Align(key.Length), chunks[_chunk].Length);
                ref var bucket = ref _buckets[entry.Hash & (_buckets.Length - 1)];
                (entry.Next, bucket) = (bucket, id);
            }
            // Whoever has the new entries sees the new chunks; whoever still has the old ones finds theirs among them.
            Volatile.Write(ref _chunks, WithRoom(chunks, 0));
            Volatile.Write(ref _entries, entries);
            _bytes = _chunks.Sum(chunk => (long)chunk.Length);
            return true;
        }
    }

    /// <summary>Leases held now.</summary>
    public int Leases => Volatile.Read(ref _leases);

    // Chunks of one bank are every second one.
    private byte[][] WithRoom(byte[][] chunks, int length)
    {
        if (_chunk >= 0 && _used + length <= chunks[_chunk].Length)
            return chunks;
        (_chunk, _used) = (_chunk + 2, 0);
        if (_chunk >= chunks.Length)
        {
            var more = new byte[_chunk + 2][];
            Array.Fill(more, []);
            chunks.CopyTo(more, 0);
            chunks = more;
        }
        chunks[_chunk] = new byte[Math.Max(ChunkSize, length)];
        return chunks;
    }

    private Stack<int>? _numberNext;

    private int Find(TermKind kind, ReadOnlySpan<byte> key, int extra, int hash)
    {
        var entries = _entries;
        for (var id = _buckets[hash & (_buckets.Length - 1)]; id != 0; id = entries[id].Next)
        {
            ref var entry = ref entries[id];
            if (entry.Hash == hash && entry.Extra == extra && entry.Kind == kind && entry.Length == key.Length
                && _chunks[entry.Chunk].AsSpan(entry.Start, entry.Length).SequenceEqual(key))
                return id;
        }
        return 0;
    }

    private int Add(TermKind kind, ReadOnlySpan<byte> key, int extra, int hash)
    {
        int id;
        if (_free != 0)
        {
            id = _free;
            _free = _entries[id].Next;
        }
        else
        {
            id = _count;
            if (id == _entries.Length)
                Grow();
        }
        if (_used + key.Length > _chunks[_chunk].Length)
        {
            // A new array: who reads holds the old one.
            Volatile.Write(ref _chunks, WithRoom(_chunks.ToArray(), key.Length));
            _bytes += _chunks[_chunk].Length;
        }
        key.CopyTo(_chunks[_chunk].AsSpan(_used));
        ref var bucket = ref _buckets[hash & (_buckets.Length - 1)];
        _entries[id] = new Entry { Hash = hash, Next = bucket, Chunk = _chunk, Start = _used, Length = key.Length, Extra = extra, Kind = kind, Number = kind == TermKind.Literal ? AddNumber(key, extra) : 0 };
        bucket = id;
        _used = Math.Min(_used + Align(key.Length), _chunks[_chunk].Length);
        _live++;
        if (id == _count)
            Volatile.Write(ref _count, id + 1);
        return id;
    }

    private int AddNumber(ReadOnlySpan<byte> lexical, int datatype)
    {
        var type = datatype switch
        {
            Known.Integer or (>= Known.FirstDerivedInteger and <= Known.LastDerivedInteger) => NumberType.Integer,
            Known.Decimal => NumberType.Decimal,
            Known.Double => NumberType.Double,
            Known.Float => NumberType.Float,
            _ => NumberType.None,
        };
        if (type == NumberType.None || !Number.TryParse(type, lexical, out var number))
            return 0;
        int slot;
        if (_freeNumber > 0)
        {
            slot = _numberNext!.Pop();
            _freeNumber--;
        }
        else
        {
            slot = _numberCount++;
            if (slot == _numbers.Length)
            {
                var numbers = new Number[slot * 2];
                _numbers.CopyTo(numbers, 0);
                Volatile.Write(ref _numbers, numbers);
            }
        }
        _numbers[slot] = number;
        return slot;
    }

    private void Grow()
    {
        var entries = new Entry[_entries.Length * 2];
        Array.Copy(_entries, entries, _count);
        var buckets = new int[entries.Length];
        for (var id = 1; id < _count; id++)
        {
            ref var entry = ref entries[id];
            ref var bucket = ref buckets[entry.Hash & (buckets.Length - 1)];
            (entry.Next, bucket) = (bucket, id);
        }
        _buckets = buckets;
        Volatile.Write(ref _entries, entries);
    }

    private int Intern(TermKind kind, string text, int extra)
    {
        var length = Encoding.UTF8.GetMaxByteCount(text.Length);
        byte[]? rented = null;
        var bytes = length <= 512 ? stackalloc byte[512] : rented = ArrayPool<byte>.Shared.Rent(length);
        var id = Intern(kind, bytes[..Encoding.UTF8.GetBytes(text, bytes)], extra);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return id;
    }

    // Lists are read as integers: keys start where one may.
    private static int Align(int length) => (length + 3) & ~3;

    private static int Hash(TermKind kind, ReadOnlySpan<byte> key, int extra)
    {
        var hash = (ulong)(uint)extra + ((ulong)kind << 40) + ((ulong)(uint)key.Length << 32);
        hash = Mix(hash, Long(key));
        return (int)(hash ^ (hash >> 32));
    }

    private static ulong Long(ReadOnlySpan<byte> key)
    {
        ulong hash = 0x9E3779B97F4A7C15;
        while (key.Length >= 8)
        {
            hash = Mix(hash, MemoryMarshal.Read<ulong>(key));
            key = key[8..];
        }
        ulong tail = 0;
        for (var i = 0; i < key.Length; i++)
            tail |= (ulong)key[i] << (8 * i);
        return Mix(hash, tail);
    }

    private static ulong Mix(ulong hash, ulong value)
    {
        hash = (hash ^ value) * 0xD6E8FEB86659FD93;
        return BitOperations.RotateLeft(hash ^ (hash >> 29), 17);
    }

    private struct Entry
    {
        public int Hash;
        public int Next;
        public int Chunk;
        public int Start;
        public int Length;
        public int Extra;
        public int Number;
        public TermKind Kind;
    }

    private sealed class TermLease(TermDictionary dictionary) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
                Interlocked.Decrement(ref dictionary._leases);
        }
    }
}
