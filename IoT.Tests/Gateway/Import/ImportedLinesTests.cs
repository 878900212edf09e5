using System.Text;
using IoT.Modules.Gateway.Import;
using Xunit;

namespace IoT.Tests.Gateway.Import;

public sealed class ImportedLinesTests
{
    private const int MaxLine = 4_096;

    [Fact]
    public async Task A_file_of_any_length_comes_in_chunks_of_bounded_size_and_no_line_is_lost()
    {
        const int lines = 300_000;
        using var file = new Trickle(string.Concat(Enumerable.Range(0, lines).Select(n => $$"""{"n":{{n}}}""" + (n % 7 == 0 ? "\r\n \n" : "\n"))));
        var (next, expectedLine) = (0, 1L);
        await foreach (var chunk in ImportedLines.ReadAsync(file, MaxLine, TestContext.Current.CancellationToken))
        {
            Assert.InRange(chunk.Json.Length, 1, ImportChunk.MostBytes);
            Assert.InRange(chunk.Lines.Count, 1, ImportChunk.MostLines);
            foreach (var line in chunk.Lines)
            {
                Assert.Equal(expectedLine, line);
                expectedLine += next++ % 7 == 0 ? 2 : 1;
            }
            Assert.Equal(chunk.Lines.Count, Encoding.UTF8.GetString(chunk.Json.Span).Split('\n').Count(l => l.Trim().Length > 0));
        }
        Assert.Equal(lines, next);
    }

    [Theory]
    [InlineData(5_000)]
    [InlineData(3_000_000)]
    public async Task Only_the_line_that_is_too_long_is_left_out(int length)
    {
        using var file = new Trickle("\uFEFFa\n" + new string('x', length) + "\n\nb\n" + new string('y', length));
        var (taken, rejected) = (new List<(long, string)>(), new List<long>());
        await foreach (var chunk in ImportedLines.ReadAsync(file, MaxLine, TestContext.Current.CancellationToken))
        {
            taken.AddRange(chunk.Lines.Zip(Encoding.UTF8.GetString(chunk.Json.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries)));
            rejected.AddRange(chunk.Rejected.Select(r => r.Line));
        }
        // A line that lies in the buffer as a whole is left to the parser, which has limits of its own.
        Assert.Equal([(1L, "a"), (4L, "b")], taken.Where(line => line.Item2.Length == 1));
        if (length > ImportChunk.MostBytes)
            Assert.Equal([2L, 5L], rejected);
        Assert.Equal(4, taken.Count + rejected.Count);
    }

    /// <summary>A body that comes in pieces of odd sizes.</summary>
    private sealed class Trickle(string text) : MemoryStream(Encoding.UTF8.GetBytes(text))
    {
        private int _turn;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, 1 + (_turn++ * 7_919 % 60_000))], cancellationToken);
    }
}
