namespace IoT.Modules.Semantics.Turtle;

/// <summary>What is wrong with a document, and where.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1, in characters.</param>
/// <param name="Message">What was expected, or what is not supported.</param>
internal sealed record SyntaxError(int Line, int Column, string Message)
{
    public override string ToString() => $"line {Line}, column {Column}: {Message}";

    /// <summary>Line and column of a place in UTF-8; a line ends with LF, CR or both.</summary>
    public static SyntaxError At(ReadOnlySpan<byte> text, int offset, string message)
    {
        var (line, start) = (1, 0);
        for (var i = 0; i < offset; i++)
        {
            if (text[i] != '\n' && (text[i] != '\r' || (i + 1 < text.Length && text[i + 1] == '\n')))
                continue;
            (line, start) = (line + 1, i + 1);
        }
        var column = 1;
        for (var i = start; i < offset; i++)
        {
            // The bytes that go on with a character don't count.
            if ((text[i] & 0xC0) != 0x80)
                column++;
        }
        return new SyntaxError(line, column, message);
    }
}

/// <summary>Leaves a parser at once; does not leave the parser's class.</summary>
internal sealed class SyntaxException(int offset, string message) : Exception(message)
{
    public int Offset { get; } = offset;
}
