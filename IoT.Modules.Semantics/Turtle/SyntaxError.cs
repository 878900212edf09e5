namespace IoT.Modules.Semantics.Turtle;

/// <summary>What is wrong with a text, and where.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1, in code points.</param>
/// <param name="Message">What was found, and what was expected.</param>
internal sealed record SyntaxError(int Line, int Column, string Message)
{
    public override string ToString() => $"line {Line}, column {Column}: {Message}";
}

/// <summary>How a parser deep in the grammar gets out; caught where parsing begins.</summary>
internal sealed class SyntaxException(SyntaxError error) : Exception(error.ToString())
{
    public SyntaxError Error { get; } = error;
}
