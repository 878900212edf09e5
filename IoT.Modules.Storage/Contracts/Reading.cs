using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>One reading, checked and ready to store.</summary>
/// <param name="Device">Whose it is.</param>
/// <param name="Timestamp">UTC, to the microsecond: PostgreSQL keeps no more.</param>
/// <param name="DataType">1 to 50 characters.</param>
/// <param name="Payload">One JSON object, UTF-8, known to be acceptable to <c>jsonb</c>.</param>
public readonly record struct Reading(DeviceEntry Device, DateTime Timestamp, string DataType, ReadOnlyMemory<byte> Payload);

/// <summary>
/// Stores readings in one transaction, in their order; registers devices seen for the first time. Answers, by index, why a reading
/// was refused by PostgreSQL (null: stored); the rest of its batch is stored all the same.
/// </summary>
/// <exception cref="System.Data.Common.DbException">PostgreSQL is away or answered with a transient error: nothing is known to be stored.</exception>
public sealed record StoreReadings(IReadOnlyList<Reading> Readings) : IRequest<IReadOnlyList<string?>>;

/// <summary>News, published after the commit: these readings are in the database.</summary>
public sealed record ReadingsStored(IReadOnlyList<Reading> Readings) : INotification;
