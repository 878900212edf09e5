using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace IoT.Modules.Storage.Summaries;

/// <summary>
/// The numbers of payloads, straight from UTF-8: the names that have been seen stand in a tree, so that a known payload costs a look-up
/// a member and no allocation. Arrays have no numbers of their own. Not for several threads at once.
/// </summary>
internal sealed class PayloadMetrics
{
    /// <summary>Most numbers of one reading that are summed up; the rest is left out.</summary>
    public const int MostMetrics = 1_000;

    /// <summary>Longer names, joined, have no place in an index.</summary>
    public const int LongestPathBytes = 1_024;

    /// <summary>A sum of larger ones could leave what a double can hold; they are left out. What is as far below is zero.</summary>
    public const double Largest = 1e290;

    private const double Smallest = 1e-290;
    private const int MaxDepth = 40;
    private const int MostNames = 50_000;
    private const int LongestName = 4_096;

    private readonly Node[] _path = new Node[MaxDepth];
    private readonly long[] _objects = new long[MaxDepth];
    private Node _root = new("", true);
    private int _names;
    private long _object;

    /// <summary>One member, wherever it occurs.</summary>
    internal sealed class Node(string path, bool isLeftOut)
    {
        private readonly Dictionary<byte[], Node> _children = new(NameComparer.Instance);

        public string Path { get; } = path;

        /// <summary>Its numbers are not summed up: it is the payload itself, has no name or too long a one.</summary>
        public bool IsLeftOut { get; } = isLeftOut;

        /// <summary>The object in which it was seen last; seen there once more, it is a duplicate.</summary>
        public long SeenIn { get; set; }

        /// <summary>What the batch at work knows it by.</summary>
        public (long Batch, string DataType, int Kind) Known { get; set; }

        public bool TryGet(ReadOnlySpan<byte> name, [NotNullWhen(true)] out Node? child) =>
            _children.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out child);

        public Node Add(ReadOnlySpan<byte> name, bool isTop)
        {
            var own = Encoding.UTF8.GetString(name).Replace(".", "%2E", StringComparison.Ordinal);
            var path = isTop ? own : $"{Path}.{own}";
            var child = new Node(path, path.Length == 0 || Encoding.UTF8.GetByteCount(path) > LongestPathBytes);
            _children.Add(name.ToArray(), child);
            return child;
        }
    }

    /// <summary>The numbers of one payload, which is known to be sound JSON. Of a member that occurs twice the last holds, as in <c>jsonb</c>.</summary>
    public void Read(ReadOnlySpan<byte> payload, List<(Node Metric, double Value)> numbers)
    {
        numbers.Clear();
        if (_names > MostNames)
            (_root, _names) = (new Node("", true), 0);
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
            // In an object: names and values only.
            var member = MemberOf(ref reader, _path[depth], depth == 0);
            if (member.SeenIn == _objects[depth])
            {
                ReadWithDuplicates(payload, numbers);
                return;
            }
            member.SeenIn = _objects[depth];
            reader.Read();
            switch (reader.TokenType)
            {
                case JsonTokenType.Number when !member.IsLeftOut && numbers.Count < MostMetrics && reader.TryGetDouble(out var value) && Math.Abs(value) <= Largest:
                    numbers.Add((member, Rounded(value)));
                    break;
                case JsonTokenType.StartObject when depth + 1 < MaxDepth:
                    depth++;
                    (_path[depth], _objects[depth]) = (member, ++_object);
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    reader.Skip();
                    break;
                default:
                    break;
            }
        }
    }

    private static double Rounded(double value) => Math.Abs(value) < Smallest ? 0 : value;

    private Node MemberOf(ref Utf8JsonReader reader, Node parent, bool isTop)
    {
        if (!reader.ValueIsEscaped)
            return Member(parent, reader.ValueSpan, isTop);
        Span<byte> name = stackalloc byte[LongestName];
        return reader.ValueSpan.Length <= LongestName
            ? Member(parent, name[..reader.CopyString(name)], isTop)
            : Member(parent, Encoding.UTF8.GetBytes(reader.GetString()!), isTop);
    }

    private Node Member(Node parent, ReadOnlySpan<byte> name, bool isTop)
    {
        if (parent.TryGet(name, out var child))
            return child;
        _names++;
        return parent.Add(name, isTop);
    }

    /// <summary>As <c>jsonb</c> reads it: a later member replaces the earlier one, whatever that was.</summary>
    private void ReadWithDuplicates(ReadOnlySpan<byte> payload, List<(Node Metric, double Value)> numbers)
    {
        numbers.Clear();
        var reader = new Utf8JsonReader(payload);
        using var document = JsonDocument.ParseValue(ref reader);
        Take(document.RootElement, _root, 0);

        void Take(JsonElement element, Node parent, int depth)
        {
            var last = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (var property in element.EnumerateObject())
                last[property.Name] = property.Value;
            foreach (var (name, value) in last)
            {
                var member = Member(parent, Encoding.UTF8.GetBytes(name), depth == 0);
                if (value.ValueKind == JsonValueKind.Object && depth + 1 < MaxDepth)
                    Take(value, member, depth + 1);
                else if (value.ValueKind == JsonValueKind.Number && !member.IsLeftOut && numbers.Count < MostMetrics && value.TryGetDouble(out var number) && Math.Abs(number) <= Largest)
                    numbers.Add((member, Rounded(number)));
            }
        }
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
