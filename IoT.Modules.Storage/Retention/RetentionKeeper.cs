using IoT.Modules.Storage.Cache;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using IoT.Modules.Storage.Partitions;
using IoT.Modules.Storage.Summaries;
using MediatR;

namespace IoT.Modules.Storage.Retention;

/// <summary>What is kept for how long: the plan for all tables by time, and carrying it out.</summary>
internal sealed class RetentionKeeper(
    PostgresPools database, StorageOptions options, PartitionRemover remover, ReadingPartitions readings, SummaryPartitions summaries, ReadingCaches caches, IMediator mediator, TimeProvider time) : IDisposable
{
    private const long MiB = 1024 * 1024;
    private readonly SemaphoreSlim _gate = new(1);

    private sealed record Kept(string Table, int Days, int Mebibytes, string AgeSetting, string BudgetSetting = "");

    /// <summary>Why the budget can't be kept; null when it is, or there is none.</summary>
    public string? Trouble { get; private set; }

    public void Dispose() => _gate.Dispose();

    public async Task<RetentionPlan> PlanAsync(int? days, int? mebibytes, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var now = time.GetUtcNow().UtcDateTime;
        var items = new List<PartitionToDrop>();
        long bytes = 0;
        foreach (var kept in Tables(days, mebibytes))
        {
            var partitions = await PartitionCatalog.ListAsync(connection, null, kept.Table, cancellationToken);
            items.AddRange(RetentionPolicy.Plan(kept.Table, partitions, now, kept.Days, kept.Mebibytes, kept.AgeSetting, kept.BudgetSetting));
            if (kept.Table == ReadingPartitions.Table)
                bytes = partitions.Sum(p => p.Bytes);
        }
        return new RetentionPlan(items, null, bytes, bytes - items.Where(i => i.Table == ReadingPartitions.Table).Sum(i => i.Bytes), RetentionPolicy.OldestAt(now, days ?? options.RetentionDays));
    }

    public async Task<IReadOnlyList<PartitionToDrop>> KeepAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var plan = await PlanAsync(null, null, cancellationToken);
            var gone = await remover.RemoveAsync(plan.Items, cancellationToken);
            if (gone.Count > 0)
            {
                readings.Partitions.Forget();
                summaries.Forget();
                caches.Removed();
                await mediator.Publish(new ReadingsRemoved(gone.Min(p => p.From), gone.Max(p => p.To)), cancellationToken);
            }
            Trouble = options.ReadingsMiB > 0 && plan.BytesAfter > options.ReadingsMiB * MiB
                ? FormattableString.Invariant($"{plan.BytesAfter / MiB} MiB of readings are in the partition being written alone, over the {options.ReadingsMiB} of Storage__ReadingsMiB: a shorter Storage__PartitionBy lets the older part of them go")
                : null;
            return gone;
        }
        finally
        {
            _gate.Release();
        }
    }

    private IEnumerable<Kept> Tables(int? days, int? mebibytes) =>
    [
        new(ReadingPartitions.Table, days ?? options.RetentionDays, mebibytes ?? options.ReadingsMiB, days is null ? "Storage__RetentionDays" : "retention_days", mebibytes is null ? "Storage__ReadingsMiB" : "readings_mib"),
        new(SummaryPartitions.FineTable, options.FineSummaryDays, 0, "Storage__FineSummaryDays"),
        new(SummaryPartitions.HourTable, options.SummaryDays, 0, "Storage__SummaryDays"),
    ];
}
