using System.Diagnostics;
using System.Globalization;
using System.Text;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;
using Xunit;

namespace IoT.Tests.Semantics.Turtle;

/// <summary>Bytes, blocks and bounds: what a file of cases can't hold.</summary>
public sealed class TurtleInputTests
{
    private const string Begin = "<http://e/s> <http://e/p> ";

    public static TheoryData<byte[], int> BadUtf8 => new()
    {
        { [0xFF], 2 },
        { [0x80], 2 },
        { [0xC0, 0x80], 2 },
        { [0xC3, 0x28], 2 },
        { [0xE2, 0x82], 2 },
        { [0xE0, 0x80, 0xAF], 2 },
        { [0xED, 0xA0, 0x80], 2 },
        { [0xED, 0xBF, 0xBF], 2 },
        { [0xF0, 0x82, 0x82, 0xAC], 2 },
        { [0xF4, 0x90, 0x80, 0x80], 2 },
        { [0xF8, 0x88, 0x80, 0x80, 0x80], 2 },
        { [0xC3, 0xA4, 0xFE], 3 },
    };

    [Theory]
    [MemberData(nameof(BadUtf8))]
    public void Bytes_that_are_not_utf8_are_refused_with_their_place(byte[] bytes, int column)
    {
        foreach (var (before, after) in new[] { ("\"", "\" ."), ("<", "> ."), ("'''", "''' ."), ("_:", " ."), ("1 .#", "\n") })
        {
            byte[] document = [.. "# ä\r\n"u8, .. Encoding.UTF8.GetBytes($"{Begin}\n{before}"), .. bytes, .. Encoding.UTF8.GetBytes(after)];
            foreach (var size in new[] { 1, 2, 3, 4096 })
            {
                using var stream = new PieceStream(document, size);
                var error = TurtleCases.Parse(stream, null).Error;
                Assert.Equal(new SyntaxError(3, column + before.Length - 1, "the text is not UTF-8 here"), error);
            }
        }
    }

    [Fact]
    public void Half_a_character_at_the_end_is_refused()
    {
        byte[] document = [.. Encoding.UTF8.GetBytes(Begin + "<http://e/o> . #"), 0xE2, 0x82];
        foreach (var size in new[] { 1, 2, 4096 })
        {
            using var stream = new PieceStream(document, size);
            Assert.Contains("UTF-8", TurtleCases.Parse(stream, null).Error!.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_byte_order_mark_is_no_part_of_the_text()
    {
        byte[] document = [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(Begin + "!")];
        Assert.Equal((1, 27), Place(TurtleCases.Parse(document, null).Error));
        using var stream = new PieceStream(document, 1);
        Assert.Equal((1, 27), Place(TurtleCases.Parse(stream, null).Error));
    }

    [Fact]
    public void A_nul_is_allowed_in_strings_only()
    {
        Assert.Equal(["<http://e/s> <http://e/p> \"a\0b\" ."], TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "'a\0b' ."), null).Triples);
        Assert.Equal((1, 28), Place(TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "<\0> ."), null).Error));
        Assert.Equal((1, 27), Place(TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "\0 ."), null).Error));
        Assert.Equal((1, 30), Place(TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "_:a\0 ."), null).Error));
    }

    [Fact]
    public void Every_kind_of_line_end_separates_and_only_lf_counts()
    {
        var (triples, error) = TurtleCases.Parse(Encoding.UTF8.GetBytes("<http://e/s> # a\r<http://e/p>\r\n<http://e/o>\r.\r# b\r\n<http://e/s>\n!"), null);
        Assert.Null(triples);
        Assert.Equal((4, 1), Place(error));
        Assert.Single(TurtleCases.Parse(Encoding.UTF8.GetBytes("<http://e/s> # a\r<http://e/p>\r\n<http://e/o>\r.\r# b"), null).Triples!);
        Assert.Equal([$"{Begin}\"a\\r\\nb\\rc\" ."], TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "'''a\r\nb\rc''' ."), null).Triples);
    }

    [Fact]
    public void A_carriage_return_ends_no_short_string()
    {
        Assert.Contains("a line ends", TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "'a\rb' ."), null).Error!.Message, StringComparison.Ordinal);
        Assert.Contains("a line ends", TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + "\"a\rb\" ."), null).Error!.Message, StringComparison.Ordinal);
    }

    // A document longer than the parser's block, shifted so that every token meets the border once.
    [Fact]
    public void A_token_may_lie_across_any_border_of_a_block()
    {
        const string Text = "@prefix größe: <http://e/> . größe:a\\-b%20. größe:p [ a größe:c ; größe:q (1.5e3 -.5 \"ä\\u00e9\"@de-AT '''x\ny'''^^<t> _:l.m) ] .\n";
        var once = Text.Replace("größe:a\\-b%20.", "größe:a\\-b%20", StringComparison.Ordinal);
        var expected = TurtleCases.Parse(Encoding.UTF8.GetBytes(once), TurtleCases.Base).Triples!;
        Assert.Equal(13, expected.Count);
        for (var shift = 0; shift < Encoding.UTF8.GetByteCount(once); shift++)
        {
            var document = Encoding.UTF8.GetBytes($"#{new string('x', (128 * 1024) - 40 - shift)}\n{once}");
            Assert.Equal(expected, TurtleCases.Parse(document, TurtleCases.Base).Triples);
        }
    }

    [Fact]
    public void The_place_of_a_mistake_is_right_far_into_a_file_and_a_line()
    {
        var lines = string.Concat(Enumerable.Repeat(Begin + "'ä' .\n", 20_000));
        Assert.Equal((20_001, 14), Place(TurtleCases.Parse(Encoding.UTF8.GetBytes(lines + "<http://e/s> ! ."), null).Error));
        var line = string.Concat(Enumerable.Repeat(Begin + "'ä' . ", 20_000));
        Assert.Equal((1, (32 * 20_000) + 14), Place(TurtleCases.Parse(Encoding.UTF8.GetBytes(line + "<http://e/s> ! ."), null).Error));
    }

    [Fact]
    public void What_is_nested_too_deeply_is_refused_and_a_long_collection_is_not()
    {
        foreach (var open in new[] { "(", "[ <http://e/p> " })
        {
            var deep = string.Concat(Enumerable.Repeat(open, 200_000));
            Assert.Contains("nested more than", TurtleCases.Parse(Encoding.UTF8.GetBytes(Begin + deep), null).Error!.Message, StringComparison.Ordinal);
        }
        var items = string.Concat(Enumerable.Repeat("1 ", 100_000));
        Assert.Equal(200_001, TurtleCases.Parse(Encoding.UTF8.GetBytes($"{Begin}({items}) ."), null).Triples!.Count);
    }

    [Fact]
    public void A_token_without_an_end_is_refused_before_it_fills_the_memory()
    {
        foreach (var start in new[] { "'''", "\"", "<http://e/", "_:" })
        {
            using var stream = new EndlessStream(Encoding.UTF8.GetBytes(Begin + start), (byte)'a');
            var error = TurtleCases.Parse(stream, null).Error!;
            Assert.Contains("longer than", error.Message, StringComparison.Ordinal);
            Assert.InRange(stream.Given, Lexer.LongestToken / 2, 3L * Lexer.LongestToken);
        }
    }

    [Fact]
    public void What_is_written_reads_back_the_same()
    {
        var all = string.Concat(Enumerable.Range(0, 0x300).Concat([0x2028, 0xFFFD, 0xFFFF, 0x1F600, 0x10FFFF]).Select(char.ConvertFromUtf32));
        Term[] objects = [Term.Literal(all), Term.LanguageLiteral("x", "de-at"), Term.Literal("x", "http://e/t"), Term.Iri("http://e/\u00e9\u3042#"), Term.Literal("")];
        var document = string.Concat(objects.Select(term => $"{Begin}{term} .\n"));
        Assert.Equal(document.TrimEnd('\n').Split('\n'), TurtleCases.Parse(Encoding.UTF8.GetBytes(document), null).Triples);
    }

    [Fact]
    public void A_hundred_megabytes_stream_through_little_memory()
    {
        const int Triples = 1_500_000;
        using var stream = new GeneratedStream(Triples);
        var terms = new TermDictionary();
        var sink = new Counter();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var started = Stopwatch.GetTimestamp();
        TurtleParser.Parse(terms, "large", stream, null, sink, TestContext.Current.CancellationToken);
        var took = Stopwatch.GetElapsedTime(started);
        // What it has taken in all, given back or not: no less than it has held, and nobody else's.
        var taken = GC.GetAllocatedBytesForCurrentThread() - before - stream.Allocated;
        TestContext.Current.TestOutputHelper?.WriteLine($"{stream.Given / 1e6:0} MB, {Triples / took.TotalSeconds:0} triples/s, {taken / 1e6:0.0} MB taken");
        Assert.Equal(Triples, sink.Count);
        Assert.True(stream.Given > 100_000_000);
        Assert.True(taken < 10_000_000, $"{taken} bytes");
    }

    [Fact]
    public void Reading_stops_when_it_is_asked_to()
    {
        using var stop = new CancellationTokenSource();
        using var stream = new GeneratedStream(int.MaxValue);
        var sink = new Counter { At = 100_000, Then = stop.Cancel };
        Assert.Throws<OperationCanceledException>(() => TurtleParser.Parse(new TermDictionary(), "endless", stream, null, sink, stop.Token));
        Assert.InRange(sink.Count, 100_000, 110_000);
    }

    private static (int Line, int Column) Place(SyntaxError? error) => (error!.Line, error.Column);

    private sealed class Counter : ITripleSink
    {
        public int Count { get; private set; }

        public int At { get; init; }

        public Action? Then { get; init; }

        public void Add(int subject, int predicate, int @object)
        {
            if (++Count == At)
                Then?.Invoke();
        }
    }

    /// <summary>Triples of a thousand devices, some 70 bytes each.</summary>
    private sealed class GeneratedStream(int triples) : MemoryStream
    {
        private byte[] _rest = [];
        private int _made;

        public long Given { get; private set; }

        /// <summary>By what makes the text.</summary>
        public long Allocated { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            if (_rest.Length == 0 && _made < triples)
            {
                var text = new StringBuilder();
                for (var i = 0; i < 1_000 && _made < triples; i++, _made++)
                    text.Append(CultureInfo.InvariantCulture, $"<http://example.org/site/device-{_made % 1000}> <http://example.org/site/reading> {_made % 100}.5 .\n");
                _rest = Encoding.UTF8.GetBytes(text.ToString());
            }
            var read = Math.Min(buffer.Length, _rest.Length);
            _rest.AsSpan(0, read).CopyTo(buffer);
            _rest = _rest[read..];
            Given += read;
            Allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            return read;
        }
    }

    private sealed class EndlessStream(byte[] begin, byte then) : MemoryStream
    {
        public long Given { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            buffer.Fill(then);
            if (Given == 0)
                begin.CopyTo(buffer);
            Given += buffer.Length;
            return buffer.Length;
        }
    }
}
