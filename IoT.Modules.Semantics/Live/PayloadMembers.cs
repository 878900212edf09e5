using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using IoT.Modules.Semantics.Naming;

namespace IoT.Modules.Semantics.Live;

/// <summary>A member of payloads, wherever it occurs, by its path: one object for each path.</summary>
/// <param name="Path">Names joined with dots, each escaped: what stands in the IRI after <c>urn:iot:metric:</c>.</param>
internal sealed record Metric(string Path)
{
    public string Iri { get; } = Names.Metric + Path;

    /// <summary>Whether a rule looks at it, as far as is known: values that none looks at become facts when somebody asks.</summary>
    public bool IsWatched { get; set; } = true;

    public bool Equals(Metric? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

/// <summary>The metrics that have been seen, shared by all who read payloads.</summary>
internal sealed class Metrics
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Metric> _byPath = new(StringComparer.Ordinal);

    public Metric Of(string path) => _byPath.GetOrAdd(path, static path => new Metric(path));

    public Metric? Find(string path) => _byPath.GetValueOrDefault(path);
}

/// <summary>
/// The values of payloads, straight from UTF-8: the names that have been seen stand in a tree, so that a known payload costs a look-up a
/// member. What is in arrays has no name and is left out. Not for several threads at once.
/// </summary>
internal sealed class PayloadMembers(Metrics metrics)
{
    /// <summary>Most values of one reading that become facts.</summary>
    public const int MostMembers = 1_000;

    /// <summary>Longer paths are left out.</summary>
    public const int LongestPath = 1_024;

    private const int MaxDepth = 40;
    private const int MostNames = 50_000;

    private readonly Node[] _path = new Node[MaxDepth];
    private readonly long[] _objects = new long[MaxDepth];
    private Node _root = new(null, "");
    private int _names;
    private long _object;

    private sealed class Node(Metric? metric, string path)
    {
        private readonly Dictionary<byte[], Node> _children = new(NameComparer.Instance);

        /// <summary>Null: left out.</summary>
        public Metric? Metric { get; } = metric;

        public string Path { get; } = path;

        /// <summary>The object in which it was seen last; seen there once more, it is a duplicate.</summary>
        public long SeenIn { get; set; }

        public bool TryGet(ReadOnlySpan<byte> name, [NotNullWhen(true)] out Node? child) =>
            _children.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out child);

        public void Add(ReadOnlySpan<byte> name, Node child) => _children.Add(name.ToArray(), child);
    }

    /// <summary>The values of one payload, a sound JSON object. Of a member that occurs twice the last holds, as in <c>jsonb</c>.</summary>
    public void Read(ReadOnlySpan<byte> payload, List<(Metric Metric, LiveValue Value)> members)
    {
        members.Clear();
        if (_names > MostNames)
            (_root, _names) = (new Node(null, ""), 0);
        var reader = new Utf8JsonReader(payload);
        reader.Read();
        var depth = 0;
        (_path[0], _objects[0]) = (_root, ++_object);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                if (--depth < 0)
                    return;
                continue;
            }
            var member = MemberOf(ref reader, _path[depth]);
            if (member.SeenIn == _objects[depth])
            {
                members.Clear();
                using var document = JsonDocument.Parse(payload.ToArray());
                ReadLast(document.RootElement, _root, 0, members);
                return;
            }
            member.SeenIn = _objects[depth];
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject && depth + 1 < MaxDepth)
            {
                depth++;
                (_path[depth], _objects[depth]) = (member, ++_object);
                continue;
            }
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                reader.Skip();
                continue;
            }
            if (member.Metric is { } metric && members.Count < MostMembers && LiveValue.TryRead(ref reader, out var value))
                members.Add((metric, value));
        }
    }

    private void ReadLast(JsonElement element, Node parent, int depth, List<(Metric Metric, LiveValue Value)> members)
    {
        var last = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var property in element.EnumerateObject())
            last[property.Name] = property.Value;
        foreach (var (name, value) in last)
        {
            var member = MemberOf(parent, Encoding.UTF8.GetBytes(name));
            if (value.ValueKind == JsonValueKind.Object)
            {
                if (depth + 1 < MaxDepth)
                    ReadLast(value, member, depth + 1, members);
            }
            else if (member.Metric is { } metric && members.Count < MostMembers)
            {
                var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(value.GetRawText()));
                reader.Read();
                if (LiveValue.TryRead(ref reader, out var read))
                    members.Add((metric, read));
            }
        }
    }

    private Node MemberOf(ref Utf8JsonReader reader, Node parent)
    {
        if (!reader.ValueIsEscaped)
            return MemberOf(parent, reader.ValueSpan);
        return MemberOf(parent, Encoding.UTF8.GetBytes(reader.GetString()!));
    }

    private Node MemberOf(Node parent, ReadOnlySpan<byte> name)
    {
        if (parent.TryGet(name, out var child))
            return child;
        _names++;
        var own = Names.Member(Encoding.UTF8.GetString(name));
        var path = ReferenceEquals(parent, _root) ? own : $"{parent.Path}.{own}";
        var isLeftOut = own.Length == 0 || path.Length > LongestPath || (!ReferenceEquals(parent, _root) && parent.Metric is null);
        child = new Node(isLeftOut ? null : metrics.Of(path), path.Length > LongestPath ? "" : path);
        parent.Add(name, child);
        return child;
    }

    private sealed class NameComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly NameComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] obj) => GetHashCode((ReadOnlySpan<byte>)obj);

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }
    }
}
