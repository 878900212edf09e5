using System.Buffers;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Contracts;

/// <summary>The facts as they are now.</summary>
/// <param name="Subject">IRI, <c>_:</c> and a label, or a device's id; null: all.</param>
/// <param name="Derived">False: asserted ones; true: derived and not also asserted; null: both.</param>
public sealed record ListFacts(string? Subject = null, bool? Derived = null) : IRequest<Outcome<FactList>>, ISeesAcknowledged;

/// <summary>Facts of one moment, whatever changes while they are written. Give it back.</summary>
public abstract class FactList : IDisposable
{
    public abstract int Count { get; }

    /// <summary>One of them as a line of N-Triples.</summary>
    public abstract void Write(int index, IBufferWriter<byte> output);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}
