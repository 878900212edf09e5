using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Contracts;

/// <summary>Puts a document that comes with the platform, under its own name; fails as not found.</summary>
public sealed record PutShipped(DocumentKind Kind, string Name, string Author) : IRequest<Outcome<DocumentChange>>;

/// <summary>A document that comes with the platform and holds when it is put.</summary>
/// <param name="Description">One line.</param>
/// <param name="Content">UTF-8.</param>
public sealed record ShippedDocument(DocumentKind Kind, string Name, string Description, ReadOnlyMemory<byte> Content);

/// <summary>All that comes with the platform.</summary>
public sealed record ListShipped : IRequest<Outcome<Page<ShippedDocument>>>;
