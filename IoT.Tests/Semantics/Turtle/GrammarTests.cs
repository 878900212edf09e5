using System.Text;
using Xunit;

namespace IoT.Tests.Semantics.Turtle;

public sealed class GrammarTests
{
    public static TheoryData<string> Allowed => [.. TurtleCases.Read("Grammar.txt").Select(item => item.Title)];

    public static TheoryData<string> Refused => [.. TurtleCases.Read("Mistakes.txt").Select(item => item.Title)];

    [Theory]
    [MemberData(nameof(Allowed))]
    public void What_the_grammar_allows_gives_its_triples(string title)
    {
        var (document, expected) = Case("Grammar.txt", title, "---");
        var (triples, error) = TurtleCases.Parse(Encoding.UTF8.GetBytes(document), TurtleCases.Base);
        Assert.True(error is null, error?.ToString());
        Assert.Equal(TurtleCases.Expected(expected), triples);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_it_does_not_allow_is_refused_with_its_place_and_what_was_expected(string title)
    {
        var parts = title.Split(" | ");
        var document = TurtleCases.Read("Mistakes.txt").Single(item => item.Title == title).Text;
        document = document.EndsWith("\n\n", StringComparison.Ordinal) ? document[..^1] : document.TrimEnd('\n');
        var (_, error) = TurtleCases.Parse(Encoding.UTF8.GetBytes("PREFIX : <http://e/>\n" + document), null);
        Assert.True(error is not null, "It was read.");
        Assert.All(parts[2].Split(", "), words => Assert.Contains(words, error.Message, StringComparison.Ordinal));
        Assert.Equal(parts[1], FormattableString.Invariant($"{error.Line - 1}:{error.Column}"));
    }

    [Fact]
    public void No_case_stands_twice()
    {
        Assert.True(Allowed.Count > 70 && Refused.Count > 130);
        Assert.Equal(Allowed.Count, Allowed.Select(row => row.Data).Distinct().Count());
        Assert.Equal(Refused.Count, Refused.Select(row => row.Data).Distinct().Count());
    }

    // Where a block of the input ends must make no difference, in a document or in a mistake.
    [Theory]
    [InlineData("Grammar.txt", 1)]
    [InlineData("Grammar.txt", 2)]
    [InlineData("Grammar.txt", 3)]
    [InlineData("Mistakes.txt", 1)]
    [InlineData("Mistakes.txt", 2)]
    public void A_stream_in_small_pieces_reads_like_the_whole(string file, int size)
    {
        foreach (var (_, text) in TurtleCases.Read(file))
        {
            var document = Encoding.UTF8.GetBytes("@prefix : <http://e/> .\n" + text.Split("---")[0]);
            var whole = TurtleCases.Parse(document, TurtleCases.Base);
            using var stream = new PieceStream(document, size);
            var (triples, error) = TurtleCases.Parse(stream, TurtleCases.Base);
            Assert.Equal(whole.Error, error);
            Assert.Equal(whole.Triples, triples);
        }
    }

    private static (string Document, string Expected) Case(string file, string title, string separator)
    {
        var text = TurtleCases.Read(file).Single(item => item.Title == title).Text;
        var at = text.IndexOf(separator, StringComparison.Ordinal);
        return (text[..at], text[(at + separator.Length)..]);
    }
}
