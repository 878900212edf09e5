using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Contracts;

/// <summary>Puts a document that comes with the platform, under its own name; fails as not found.</summary>
public sealed record PutShipped(DocumentKind Kind, string Name, string Author) : IRequest<Outcome<DocumentChange>>;
