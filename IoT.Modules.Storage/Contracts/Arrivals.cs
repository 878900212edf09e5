using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A stored reading in the order in which readings were written, about: ids are drawn before the commit.</summary>
/// <param name="Device">The id inside: <see cref="DeviceUuid"/>.</param>
/// <param name="Timestamp">UTC.</param>
/// <param name="Payload">One JSON object, UTF-8, as <c>jsonb</c> writes it.</param>
public readonly record struct Arrival(long Id, Guid Device, DateTime Timestamp, ReadOnlyMemory<byte> Payload);

/// <summary>The stored readings whose ids are larger, of whatever device, in no order. Fails with a database's exception.</summary>
public sealed record ReadArrivals(long After) : IRequest<IAsyncEnumerable<Arrival>>;

/// <summary>The largest id that was drawn for a reading, committed or not; 0: none yet.</summary>
public sealed record GetLastArrival : IRequest<long>;
