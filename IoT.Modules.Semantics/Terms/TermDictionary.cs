using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

/// <summary>
/// Terms as numbers. An IRI keeps its number; literals and blank nodes that nothing uses any more are swept, so that years of readings don't
/// fill it. Reading is for any number of threads while one adds.
/// </summary>
internal sealed class TermDictionary
{
    private const int ChunkBytes = 1 << 18;
    private const int FirstEntries = 64;
    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();

    // .NET's usual three fields of a chained hash table, with the text in chunks: 32 bytes and the text for a term, no object of its own.
    private struct Entry
    {
        public int Hash;
        public int Next;
        public int Chunk;
        public int Offset;
        public int Length;

        /// <summary>Of a literal: its datatype, or minus its language.</summary>
        public int Datatype;

        /// <summary>Index of its value; 0: it is no number.</summary>
        public int Number;
        public TermKind Kind;
        public bool IsFree;
    }

    private readonly bool _withNumbers;
    private Entry[] _entries = new Entry[FirstEntries];
    private int[] _buckets = new int[FirstEntries];
    private byte[][] _chunks = [new byte[ChunkBytes]];
    private int _chunkCount = 1;
    private int _used;
    private int _count = 1;
    private int _free;
    private int _freeCount;
    private Number[] _numbers = new Number[16];
    private readonly Stack<int> _freeNumbers = new();
    private int _numberCount = 1;
    private long _textBytes;

    /// <param name="withNumbers">Whether the values of numeric literals are kept; a parser needs none.</param>
    public TermDictionary(bool withNumbers = true)
    {
        _withNumbers = withNumbers;
        foreach (var iri in Known.Iris)
            Iri(iri);
        Intern(TermKind.Literal, "true"u8, Known.Boolean);
        Intern(TermKind.Literal, "false"u8, Known.Boolean);
    }

    private TermDictionary(TermDictionary other)
    {
        _withNumbers = other._withNumbers;
        (_entries, _buckets, _numbers) = ([.. other._entries], [.. other._buckets], [.. other._numbers]);
        // What is written stays; each goes on in a chunk of its own.
        _chunks = [.. other._chunks.AsSpan(0, other._chunkCount), new byte[ChunkBytes]];
        (_chunkCount, _used, _count, _free, _freeCount, _numberCount, _textBytes) = (other._chunkCount + 1, 0, other._count, other._free, other._freeCount, other._numberCount, other._textBytes);
        foreach (var number in other._freeNumbers.Reverse())
            _freeNumbers.Push(number);
    }

    /// <summary>Terms it holds.</summary>
    public int Count => _count - 1 - _freeCount;

    /// <summary>Above every index in use.</summary>
    public int Limit => _count;

    public long Bytes => ((long)_entries.Length * Unsafe.SizeOf<Entry>()) + (_buckets.Length * 4L) + ((long)_chunkCount * ChunkBytes) + ((long)_numbers.Length * Unsafe.SizeOf<Number>());

    /// <summary>Another one with the same terms at the same numbers.</summary>
    public TermDictionary Copy() => new(this);

    public TermId Iri(string iri) => new(Intern(TermKind.Iri, Utf8(iri), 0));

    public TermId Intern(Term term) => new(term.Kind switch
    {
        TermKind.Literal when term.Language is not null => Intern(TermKind.Literal, Utf8(term.Value), -Intern(TermKind.Language, Utf8(term.Language), 0)),
        TermKind.Literal => Intern(TermKind.Literal, Utf8(term.Value), Iri(term.Datatype ?? Xsd.String).Value),
        TermKind.Iri or TermKind.Blank => Intern(term.Kind, Utf8(term.Value), 0),
        _ => throw new ArgumentException($"{term.Kind} is not interned", nameof(term)),
    });

    /// <param name="kind">What it is.</param>
    /// <param name="text">UTF-8.</param>
    /// <param name="datatype">Of a literal: its datatype, or minus its language.</param>
    public int Intern(TermKind kind, ReadOnlySpan<byte> text, int datatype) => Intern(kind, text, datatype, Hash(kind, text, datatype));

    /// <summary>The number of a term; false: it is not here.</summary>
    public bool TryFind(Term term, out TermId id)
    {
        var datatype = 0;
        if (term.Kind == TermKind.Literal)
        {
            datatype = term.Language is not null ? -Find(TermKind.Language, Utf8(term.Language), 0) : Find(TermKind.Iri, Utf8(term.Datatype ?? Xsd.String), 0);
            if (datatype == 0)
            {
                id = default;
                return false;
            }
        }
        id = new TermId(Find(term.Kind, Utf8(term.Value), datatype));
        return !id.IsNone;
    }

    /// <summary>The number of an IRI; 0: it is not here.</summary>
    public int Find(ReadOnlySpan<byte> iri) => Find(TermKind.Iri, iri, 0);

    /// <summary>The same terms as in another dictionary: its number here for each number there.</summary>
    /// <param name="blankPrefix">In front of the labels of blank nodes, which are one document's own.</param>
    public int[] Merge(TermDictionary other, string blankPrefix)
    {
        var map = new int[other._count];
        var prefix = Encoding.UTF8.GetBytes(blankPrefix);
        var label = new byte[256];
        // First those that literals point to.
        for (var pass = 0; pass < 2; pass++)
        {
            for (var i = 1; i < other._count; i++)
            {
                ref var entry = ref other._entries[i];
                if (entry.IsFree || (entry.Kind == TermKind.Literal) != (pass == 1))
                    continue;
                var text = other.Text(i);
                if (entry.Kind == TermKind.Blank)
                {
                    if (label.Length < prefix.Length + text.Length)
                        label = new byte[(prefix.Length + text.Length) * 2];
                    prefix.CopyTo(label, 0);
                    text.CopyTo(label.AsSpan(prefix.Length));
                    map[i] = Intern(TermKind.Blank, label.AsSpan(0, prefix.Length + text.Length), 0);
                }
                else
                {
                    var datatype = entry.Datatype < 0 ? -map[-entry.Datatype] : map[entry.Datatype];
                    map[i] = datatype == entry.Datatype ? Intern(entry.Kind, text, datatype, entry.Hash) : Intern(entry.Kind, text, datatype);
                }
            }
        }
        return map;
    }

    public TermKind KindOf(int id) => _entries[id].Kind;

    /// <summary>UTF-8 of its IRI, label or lexical form.</summary>
    public ReadOnlySpan<byte> Text(int id)
    {
        ref var entry = ref _entries[id];
        return _chunks[entry.Chunk].AsSpan(entry.Offset, entry.Length);
    }

    /// <summary>Of a literal: its datatype, or minus its language; otherwise 0.</summary>
    public int DatatypeOf(int id) => _entries[id].Datatype;

    /// <summary>The value of a numeric literal; otherwise none.</summary>
    public ref readonly Number NumberOf(int id) => ref _numbers[_entries[id].Number];

    public Term this[TermId id] => this[id.Value];

    public Term this[int id]
    {
        get
        {
            var entry = _entries[id];
            var text = Encoding.UTF8.GetString(Text(id));
            return entry.Kind switch
            {
                TermKind.Literal when entry.Datatype < 0 => Term.LanguageLiteral(text, Encoding.UTF8.GetString(Text(-entry.Datatype))),
                TermKind.Literal => Term.Literal(text, Encoding.UTF8.GetString(Text(entry.Datatype))),
                _ => new Term(entry.Kind, text),
            };
        }
    }

    /// <summary>Frees literals and blank nodes that are not marked. Their numbers are given out again.</summary>
    public int Sweep(ReadOnlySpan<bool> isUsed)
    {
        var freed = 0;
        for (var i = Known.Count; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            if (entry.IsFree || entry.Kind is not (TermKind.Literal or TermKind.Blank) || (i < isUsed.Length && isUsed[i]))
                continue;
            Unlink(i);
            if (entry.Number != 0)
                _freeNumbers.Push(entry.Number);
            _textBytes -= entry.Length;
            entry = new Entry { IsFree = true, Next = _free };
            _free = i;
            freed++;
        }
        _freeCount += freed;
        if (_textBytes < (long)_chunkCount * ChunkBytes / 4)
            Compact();
        return freed;
    }

    private int Intern(TermKind kind, ReadOnlySpan<byte> text, int datatype, int hash)
    {
        if (Find(kind, text, datatype, hash) is var found and not 0)
            return found;
        int id;
        if (_free != 0)
        {
            id = _free;
            _free = _entries[id].Next;
            _freeCount--;
        }
        else
        {
            if (_count == _entries.Length)
                Grow();
            id = _count++;
        }
        ref var entry = ref _entries[id];
        entry = new Entry { Hash = hash, Kind = kind, Length = text.Length, Datatype = datatype };
        Place(ref entry, text);
        _textBytes += text.Length;
        if (_withNumbers && kind == TermKind.Literal && Number.Parse(text, datatype) is { IsNumber: true } number)
            entry.Number = Keep(number);
        ref var bucket = ref _buckets[hash & (_buckets.Length - 1)];
        entry.Next = bucket;
        // Whoever sees the number sees the entry.
        Volatile.Write(ref bucket, id);
        return id;
    }

    private int Find(TermKind kind, ReadOnlySpan<byte> text, int datatype) => Find(kind, text, datatype, Hash(kind, text, datatype));

    private int Find(TermKind kind, ReadOnlySpan<byte> text, int datatype, int hash)
    {
        var entries = _entries;
        for (var i = _buckets[hash & (_buckets.Length - 1)]; i != 0; i = entries[i].Next)
        {
            ref var entry = ref entries[i];
            if (entry.Hash == hash && entry.Kind == kind && entry.Datatype == datatype && entry.Length == text.Length
                && text.SequenceEqual(_chunks[entry.Chunk].AsSpan(entry.Offset, entry.Length)))
                return i;
        }
        return 0;
    }

    private void Place(ref Entry entry, ReadOnlySpan<byte> text)
    {
        if (text.Length > ChunkBytes / 4)
        {
            // A long text has a chunk to itself.
            AddChunk(text.ToArray());
            (entry.Chunk, entry.Offset) = (_chunkCount - 1, 0);
            AddChunk(new byte[ChunkBytes]);
            _used = 0;
            return;
        }
        if (_used + text.Length > ChunkBytes)
        {
            AddChunk(new byte[ChunkBytes]);
            _used = 0;
        }
        (entry.Chunk, entry.Offset) = (_chunkCount - 1, _used);
        text.CopyTo(_chunks[_chunkCount - 1].AsSpan(_used));
        _used += text.Length;
    }

    private void AddChunk(byte[] chunk)
    {
        if (_chunkCount == _chunks.Length)
            Array.Resize(ref _chunks, _chunkCount * 2);
        _chunks[_chunkCount++] = chunk;
    }

    private int Keep(in Number number)
    {
        if (!_freeNumbers.TryPop(out var index))
        {
            if (_numberCount == _numbers.Length)
                Array.Resize(ref _numbers, _numberCount * 2);
            index = _numberCount++;
        }
        _numbers[index] = number;
        return index;
    }

    private void Grow()
    {
        var buckets = new int[_buckets.Length * 2];
        var entries = new Entry[_entries.Length * 2];
        Array.Copy(_entries, entries, _count);
        for (var i = 1; i < _count; i++)
        {
            ref var entry = ref entries[i];
            if (entry.IsFree)
                continue;
            ref var bucket = ref buckets[entry.Hash & (buckets.Length - 1)];
            (entry.Next, bucket) = (bucket, i);
        }
        (_entries, _buckets) = (entries, buckets);
    }

    private void Unlink(int id)
    {
        ref var next = ref _buckets[_entries[id].Hash & (_buckets.Length - 1)];
        while (next != id)
            next = ref _entries[next].Next;
        next = _entries[id].Next;
    }

    private void Compact()
    {
        var chunks = _chunks;
        (_chunks, _chunkCount, _used) = ([new byte[ChunkBytes]], 1, 0);
        for (var i = 1; i < _count; i++)
        {
            ref var entry = ref _entries[i];
            if (!entry.IsFree)
                Place(ref entry, chunks[entry.Chunk].AsSpan(entry.Offset, entry.Length));
        }
    }

    // Words are folded by multiplication, seeded by chance: what devices send can't be made to collide.
    private static int Hash(TermKind kind, ReadOnlySpan<byte> text, int datatype)
    {
        var hash = Seed ^ ((ulong)(uint)datatype << 8) ^ (ulong)kind ^ ((ulong)text.Length << 48);
        while (text.Length >= 8)
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(text));
            text = text[8..];
        }
        var rest = 0UL;
        foreach (var b in text)
            rest = (rest << 8) | b;
        hash = Fold(hash ^ rest ^ 0xA0761D6478BD642F);
        return (int)(hash ^ (hash >> 32));
    }

    private static ulong Fold(ulong value)
    {
        var high = Math.BigMul(value ^ Seed, 0xE7037ED1A0B428DB, out var low);
        return high ^ low;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
