using System.Buffers;
using System.Runtime.CompilerServices;
using IoT.Modules.Gateway.Ingest;

namespace IoT.Modules.Gateway.Import;

/// <summary>Some readings of an import as NDJSON, and the line of the file that each of them stands on.</summary>
/// <param name="Json">Valid until the next chunk is asked for.</param>
/// <param name="Lines">By place among the lines of <paramref name="Json"/>, none of which is blank; from 1.</param>
/// <param name="Rejected">Lines that could not even become one.</param>
/// <param name="LastLine">The file's last line that has been dealt with when this chunk has.</param>
/// <param name="IsCut">The file can't be read any further: the last of the rejected says why.</param>
internal sealed record ImportChunk(ReadOnlyMemory<byte> Json, IReadOnlyList<long> Lines, IReadOnlyList<(long Line, string Error)> Rejected, long LastLine, bool IsCut = false)
{
    // Less than a device's burst, so that the device itself hardly notices (see ImportReadings).
    public const int MostLines = 1_000;
    public const int MostBytes = 1024 * 1024;

    /// <summary>The end of a file that can't be read any further.</summary>
    public static ImportChunk Cut(long line, string error) => new(default, [], [(line, $"{error}; what follows was not read")], line, IsCut: true);
}

/// <summary>An NDJSON file that is imported, in chunks of bounded size.</summary>
internal static class ImportedLines
{
    // A chunk is a commit: not one for every packet that comes.
    private const int BytesAtLeast = 128 * 1024;

    public static async IAsyncEnumerable<ImportChunk> ReadAsync(Stream body, int maxLineBytes, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Room for a chunk and for the longest line.
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(ImportChunk.MostBytes, maxLineBytes + 1));
        try
        {
            var (length, line, isStart, isOver, isInLongLine) = (0, 0L, true, false, false);
            while (!isOver)
            {
                var wanted = Math.Min(BytesAtLeast, buffer.Length - length);
                var read = await body.ReadAtLeastAsync(buffer.AsMemory(length), wanted, throwOnEndOfStream: false, cancellationToken);
                length += read;
                isOver = read < wanted;
                var at = 0;
                if (isStart && ReadingParser.EncodingFault(buffer.AsSpan(0, length), out at) is { } fault)
                {
                    yield return ImportChunk.Cut(1, fault);
                    yield break;
                }
                isStart = false;

                // Whole lines only; what follows the last one is kept for the next chunk.
                var whole = isOver ? length : buffer.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
                if (isInLongLine && (whole > 0 || isOver))
                {
                    at = buffer.AsSpan(0, length).IndexOf((byte)'\n') is >= 0 and var end ? end + 1 : length;
                    isInLongLine = false;
                    yield return TooLong(++line);
                }
                while (at < whole)
                {
                    var (end, lines) = TakeLines(buffer.AsSpan(at, whole - at), ref line);
                    if (lines.Count > 0)
                        yield return new ImportChunk(buffer.AsMemory(at, end), lines, [], line);
                    at += end;
                }
                buffer.AsSpan(at, length - at).CopyTo(buffer);
                length -= at;
                if (length > maxLineBytes || isInLongLine)
                    (length, isInLongLine) = (0, true);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        ImportChunk TooLong(long line) => new(default, [], [(line, FormattableString.Invariant($"reading: the line is over {maxLineBytes} bytes"))], line);
    }

    /// <summary>As many lines as go into a chunk: where they end, and the numbers of those that hold something.</summary>
    private static (int End, List<long> Lines) TakeLines(ReadOnlySpan<byte> bytes, ref long line)
    {
        var (at, lines) = (0, new List<long>());
        while (at < bytes.Length && lines.Count < ImportChunk.MostLines)
        {
            var length = bytes[at..].IndexOf((byte)'\n');
            length = length < 0 ? bytes.Length - at : length + 1;
            line++;
            if (BodyWalk.SkipSpace(bytes.Slice(at, length), 0) < length)
                lines.Add(line);
            at += length;
        }
        return (at, lines);
    }
}
