using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

/// <summary>
/// Every term once, under a number. Interning takes a lock; reading what has been interned does not. An IRI whose number was asked for by
/// name stays for good; other terms that no fact uses any more go in a sweep, so that years of changing readings don't fill the memory.
/// </summary>
internal sealed partial class TermDictionary
{
    private const int ChunkSize = 1 << 20;

    private readonly Lock _lock = new();
    private volatile Storage _storage = new(new Entry[1024], [new byte[64 * 1024]], new Number[256]);
    private int[] _buckets = new int[1024];
    private int _count = 1;
    private int _chunk;
    private int _used;
    private int _numberCount = 1;
    private int _free;
    private int _live;
    private long _bytes = 64 * 1024;

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
    public long Bytes => Volatile.Read(ref _bytes) + ((long)_storage.Entries.Length * Marshal.SizeOf<Entry>()) + (_buckets.Length * 4L) + (_storage.Numbers.Length * 40L);

    public TermId Intern(Term term) => new(Pinned(Add(term)));

    public TermId InternIri(string iri) => new(Pinned(Intern(TermKind.Iri, iri, 0)));

    public TermId InternIri(ReadOnlySpan<byte> iri) => new(Pinned(Intern(TermKind.Iri, iri, 0)));

    /// <summary>The number of a term; of an IRI too only as long as it is used.</summary>
    public int Add(Term term)
    {
        ArgumentNullException.ThrowIfNull(term);
        return term.Kind switch
        {
            TermKind.Iri => Intern(TermKind.Iri, term.Value, 0),
            TermKind.Blank => Intern(TermKind.Blank, term.Value, 0),
            TermKind.Literal when term.Language is { } language => InternLanguage(Encoding.UTF8.GetBytes(term.Value), Encoding.UTF8.GetBytes(language)),
            TermKind.Literal => Intern(TermKind.Literal, term.Value, Intern(TermKind.Iri, term.Datatype ?? Xsd.String, 0)),
            _ => throw new ArgumentException($"a term of kind {term.Kind} can't be interned by name", nameof(term)),
        };
    }

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
        return new TermId(Pinned(Find(term.Kind, Encoding.UTF8.GetBytes(term.Value), extra)));
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
        ref var entry = ref _storage.Entries[id];
        var text = Encoding.UTF8.GetString(Key(id));
        return entry.Kind switch
        {
            TermKind.Literal when entry.Extra < 0 => Term.LanguageLiteral(text, Encoding.UTF8.GetString(Key(~entry.Extra))),
            TermKind.Literal => Term.Literal(text, Encoding.UTF8.GetString(Key(entry.Extra))),
            _ => new Term(entry.Kind, text),
        };
    }

    public TermKind Kind(int id) => _storage.Entries[id].Kind;

    public bool IsLiteral(int id) => Kind(id) == TermKind.Literal;

    /// <summary>Index of a literal's datatype, or the complement of its language's.</summary>
    public int Datatype(int id) => _storage.Entries[id].Extra;

    /// <summary>IRI, label or lexical form, in UTF-8.</summary>
    public ReadOnlySpan<byte> Key(int id)
    {
        // Both from the same storage: a sweep moves texts.
        var storage = _storage;
        ref var entry = ref storage.Entries[id];
        return storage.Chunks[entry.Chunk].AsSpan(entry.Start, entry.Length);
    }

    public string Text(int id) => Encoding.UTF8.GetString(Key(id));

    public ReadOnlySpan<int> Items(int list) => MemoryMarshal.Cast<byte, int>(Key(list));

    /// <summary>Whether the term is a literal with a valid numeric value.</summary>
    public bool TryNumber(int id, out Number number)
    {
        var storage = _storage;
        var slot = storage.Entries[id].Number;
        number = slot == 0 ? default : storage.Numbers[slot];
        return slot != 0;
    }

    private int Find(TermKind kind, ReadOnlySpan<byte> key, int extra, int hash)
    {
        var (entries, chunks) = (_storage.Entries, _storage.Chunks);
        for (var id = _buckets[hash & (_buckets.Length - 1)]; id != 0; id = entries[id].Next)
        {
            ref var entry = ref entries[id];
            if (entry.Hash == hash && entry.Extra == extra && entry.Kind == kind && entry.Length == key.Length
                && chunks[entry.Chunk].AsSpan(entry.Start, entry.Length).SequenceEqual(key))
            {
                if ((entry.Flags & Entry.Unused) != 0)
                    Keep(id);
                return id;
            }
        }
        return 0;
    }

    private int Add(TermKind kind, ReadOnlySpan<byte> key, int extra, int hash)
    {
        int id;
        if (_free != 0)
        {
            id = _free;
            _free = _storage.Entries[id].Next;
        }
        else
        {
            id = _count;
            if (id == _storage.Entries.Length)
                Grow();
        }
        if (_used + key.Length > _storage.Chunks[_chunk].Length)
        {
            byte[][] chunks = [.. _storage.Chunks, new byte[Math.Max(ChunkSize, key.Length)]];
            _bytes += chunks[^1].Length;
            _storage = _storage with { Chunks = chunks };
            (_chunk, _used) = (chunks.Length - 1, 0);
        }
        key.CopyTo(_storage.Chunks[_chunk].AsSpan(_used));
        var number = kind == TermKind.Literal ? AddNumber(key, extra) : 0;
        ref var bucket = ref _buckets[hash & (_buckets.Length - 1)];
        _storage.Entries[id] = new Entry { Hash = hash, Next = bucket, Chunk = _chunk, Start = _used, Length = key.Length, Extra = extra, Kind = kind, Number = number };
        bucket = id;
        // A datatype stays: literals name it by its number.
        if (kind == TermKind.Literal && extra > 0)
            _storage.Entries[extra].Flags |= Entry.Pinned;
        _used = Math.Min(_used + Align(key.Length), _storage.Chunks[_chunk].Length);
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
        var slot = _numberCount++;
        if (slot == _storage.Numbers.Length)
        {
            var numbers = new Number[slot * 2];
            _storage.Numbers.CopyTo(numbers, 0);
            _storage = _storage with { Numbers = numbers };
        }
        _storage.Numbers[slot] = number;
        return slot;
    }

    private void Grow()
    {
        var entries = new Entry[_storage.Entries.Length * 2];
        Array.Copy(_storage.Entries, entries, _count);
        Chain(entries);
        _storage = _storage with { Entries = entries };
    }

    private void Chain(Entry[] entries)
    {
        _buckets = new int[entries.Length];
        for (var id = 1; id < _count; id++)
        {
            ref var entry = ref entries[id];
            if (entry.Length < 0)
                continue;
            ref var bucket = ref _buckets[entry.Hash & (_buckets.Length - 1)];
            (entry.Next, bucket) = (bucket, id);
        }
    }

    private int Pinned(int id)
    {
        if (Kind(id) == TermKind.Iri && id != 0)
        {
            lock (_lock)
                _storage.Entries[id].Flags |= Entry.Pinned;
        }
        return id;
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
        public const byte Pinned = 1;

        /// <summary>Nothing used it when the sweep began.</summary>
        public const byte Unused = 2;

        public int Hash;
        public int Next;
        public int Chunk;
        public int Start;

        /// <summary>Negative: free.</summary>
        public int Length;
        public int Extra;
        public int Number;
        public TermKind Kind;
        public byte Flags;
    }

    /// <summary>What is read without a lock, always together.</summary>
    private sealed record Storage(Entry[] Entries, byte[][] Chunks, Number[] Numbers);
}
