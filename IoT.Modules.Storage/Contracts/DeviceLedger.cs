using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>What came of a device's readings: all in all, or what a transaction has added to that.</summary>
/// <param name="DeviceId">Empty for those who are no device.</param>
public sealed record LedgerCounts(string DeviceId, long Stored, long Duplicate, long Quarantined);

/// <summary>The counts of a device at start.</summary>
/// <param name="Answered">Duplicates known in memory and answered from there.</param>
public sealed record LedgerRow(LedgerCounts Counts, long Answered, long Rejected);

/// <summary>All of it.</summary>
public sealed record LoadLedger : IRequest<IReadOnlyList<LedgerRow>>;

/// <summary>What to add to a device's counts.</summary>
public readonly record struct LedgerDelta(string DeviceId, long Answered, long Rejected);

/// <summary>Adds what was counted in memory.</summary>
/// <exception cref="System.Data.Common.DbException">Nothing was added, or the answer was lost.</exception>
public sealed record AddToLedger(IReadOnlyList<LedgerDelta> Deltas) : IRequest<Done>;

/// <summary>Brings the counts by device up to date with what writes have added. Changes no sum.</summary>
/// <exception cref="System.Data.Common.DbException">What was added stays where it is, and is counted all the same.</exception>
public sealed record FoldLedger : IRequest<Done>;
