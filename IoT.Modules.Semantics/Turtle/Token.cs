namespace IoT.Modules.Semantics.Turtle;

internal enum Token : byte
{
    End,
    Iri,
    PrefixedName,
    BlankLabel,
    String,

    /// <summary><c>@</c> and a word: a language tag or a directive.</summary>
    At,
    Integer,
    Decimal,
    Double,
    Word,
    Variable,
    Dot,
    Semicolon,
    Comma,
    OpenBracket,
    CloseBracket,
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    Datatype,
    Implies,
    ImpliedBy,
    Equals,

    /// <summary>A character of N3 that nothing here uses: <c>!</c> or <c>^</c>.</summary>
    Path,
}
