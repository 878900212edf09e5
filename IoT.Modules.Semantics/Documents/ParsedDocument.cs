using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Semantics.Turtle;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Semantics.Documents;

/// <summary>A document's text as the engine takes it.</summary>
internal sealed class ParsedDocument : IDisposable
{
    private ParsedDocument(TermDictionary terms, FactDocument? facts, RuleSet? rules) => (Terms, Facts, Rules) = (terms, facts, rules);

    /// <summary>Where its terms are.</summary>
    public TermDictionary Terms { get; }

    public FactDocument? Facts { get; }

    public RuleSet? Rules { get; }

    /// <summary>Facts or rules.</summary>
    public int Count => Facts?.Count ?? Rules!.Rules.Count;

    /// <summary>Fails as invalid, with line and column.</summary>
    public static Outcome<ParsedDocument> Parse(TermDictionary terms, DocumentKind kind, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (kind == DocumentKind.Rules)
            return RuleParser.Parse(name, content, null, out var wrongRules) is { } rules ? new ParsedDocument(terms, null, rules) : Wrong(wrongRules!);
        return FactDocument.Parse(terms, name, content, null, out var wrong, cancellationToken) is { } facts ? new ParsedDocument(terms, facts, null) : Wrong(wrong!);
    }

    public void Dispose() => Facts?.Dispose();

    public static Failure Wrong(SyntaxError error) => Wrong(error.Message, error.Line, error.Column);

    /// <summary>What is wrong with a document, and where if that is known.</summary>
    public static Failure Wrong(string message, int? line, int? column)
    {
        var text = line is null ? message : $"line {line}, column {column ?? 1}: {message}";
        return new Failure(FailureKind.Invalid, text, new Dictionary<string, string[]> { ["body"] = [text] })
        {
            Extensions = line is null ? null : new Dictionary<string, object?> { ["line"] = line, ["column"] = column ?? 1 },
        };
    }
}
