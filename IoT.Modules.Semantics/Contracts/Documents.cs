using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Contracts;

/// <summary>What a document is.</summary>
public enum DocumentKind
{
    /// <summary>Facts about the site, in Turtle.</summary>
    Model,

    /// <summary>Rules, in the subset of N3 that README describes.</summary>
    Rules,
}

/// <summary>A version of a document.</summary>
/// <param name="Name">1 to 128 of <c>A-Z a-z 0-9 . _ -</c>.</param>
/// <param name="Version">From 1.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="CreatedBy">Name of the person or API key.</param>
/// <param name="Bytes">Of its text.</param>
/// <param name="IsCurrent">It holds now.</param>
public sealed record DocumentVersion(string Name, int Version, DateTime CreatedAt, string CreatedBy, long Bytes, bool IsCurrent);

/// <summary>What putting, restoring or deleting a document came to; everything that is derived from it holds.</summary>
/// <param name="Facts">Facts of a model, or rules of a set of rules; 0 for one taken out.</param>
/// <param name="Asserted">Facts that are asserted now, in all.</param>
/// <param name="Derived">Facts that are derived now, in all.</param>
/// <param name="Appeared">Inferences that there were not before.</param>
/// <param name="Vanished">Inferences that there are no longer.</param>
/// <param name="IsNew">There was none of that name.</param>
public sealed record DocumentChange(string Name, int Version, int Facts, long Asserted, long Derived, long Appeared, long Vanished, bool IsNew);

/// <summary>
/// Replaces a document, or makes it. Fails as invalid with <c>line</c> and <c>column</c> in <see cref="SyntaxFailure"/> when it can't be read
/// or its rules can't be used, and as too large over a limit; then nothing has changed.
/// </summary>
public sealed record PutDocument(DocumentKind Kind, string Name, ReadOnlyMemory<byte> Content, string Author) : IRequest<Outcome<DocumentChange>>, IValidated
{
    public IEnumerable<FieldError> Validate() => DocumentRules.Name(Name);
}

/// <summary>Makes an earlier version hold again; without a number the newest one that does not hold.</summary>
public sealed record RestoreDocument(DocumentKind Kind, string Name, int? Version) : IRequest<Outcome<DocumentChange>>;

/// <summary>A document no longer holds; its versions stay.</summary>
public sealed record DeleteDocument(DocumentKind Kind, string Name) : IRequest<Outcome<DocumentChange>>;

/// <summary>What <see cref="PutDocument"/> would do, without doing it.</summary>
/// <param name="Name">Which document it would replace; null: none.</param>
public sealed record CheckDocument(DocumentKind Kind, string? Name, ReadOnlyMemory<byte> Content) : IRequest<Outcome<DocumentCheck>>;

/// <param name="Appear">Inferences that there would be and are not.</param>
/// <param name="Vanish">Inferences that there would no longer be.</param>
public sealed record DocumentCheck(long Appear, long Vanish);

/// <summary>The text of a version, by default of the one that holds.</summary>
public sealed record ReadDocument(DocumentKind Kind, string Name, int? Version = null) : IRequest<Outcome<DocumentText>>;

/// <param name="Content">UTF-8.</param>
public sealed record DocumentText(string Name, int Version, ReadOnlyMemory<byte> Content);

/// <summary>The documents of a kind that hold, by name.</summary>
public sealed record ListDocuments(DocumentKind Kind) : IRequest<Outcome<Page<DocumentVersion>>>;

/// <summary>The versions of a document that are kept, newest first.</summary>
public sealed record ListVersions(DocumentKind Kind, string Name) : IRequest<Outcome<Page<DocumentVersion>>>;

/// <summary>A document that was not taken in.</summary>
/// <param name="At">UTC.</param>
/// <param name="By">Name of the person or API key that put it; empty: it holds, and the engine could not be started with it.</param>
/// <param name="Reason">What is wrong with it, with line and column if they are known.</param>
public sealed record RefusedDocument(DocumentKind Kind, string Name, DateTime At, string By, string Reason);

/// <summary>What was refused since the host started and not put right since, newest first.</summary>
public sealed record ListRefusedDocuments : IRequest<Outcome<Page<RefusedDocument>>>;

/// <summary>What a document's name may be.</summary>
public static class DocumentRules
{
    public const int MaxName = 128;

    internal static IEnumerable<FieldError> Name(string name)
    {
        if (name.Length is 0 or > MaxName || name.Any(c => !(char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')))
            yield return new("name", $"1 to {MaxName} of A-Z a-z 0-9 . _ -");
    }
}
