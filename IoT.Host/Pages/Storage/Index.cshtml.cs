using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Storage;

/// <summary>What the database holds, for how long, and what has gone.</summary>
internal sealed class IndexModel(IMediator mediator, TimeProvider time) : SitePage
{
    private const int ShownEvents = 50;

    public DateTime Now { get; } = time.GetUtcNow().UtcDateTime;

    public RetentionSettings Settings { get; private set; } = null!;

    public SummaryStatus Summaries { get; private set; } = null!;

    public RetentionPlan Plan { get; private set; } = null!;

    public IReadOnlyList<PartitionInfo> Readings { get; private set; } = [];

    /// <summary>The tables of summaries: name, partitions, rows, bytes, and since when.</summary>
    public IReadOnlyList<(string Name, int Partitions, long Rows, long Bytes, DateTime? From)> SummaryTables { get; private set; } = [];

    public IReadOnlyList<StorageEvent> Events { get; private set; } = [];

    public async Task<IActionResult> OnGetAsync(CancellationToken stop)
    {
        Settings = await mediator.Send(new GetRetentionSettings(), stop);
        Summaries = await mediator.Send(new GetSummaryStatus(), stop);
        var plan = await mediator.Send(new PlanRetention(), stop);
        var events = await mediator.Send(new ListStorageEvents(ShownEvents), stop);
        var tables = new List<(string, int, long, long, DateTime?)>();
        foreach (var table in ListPartitions.Tables)
        {
            var partitions = await mediator.Send(new ListPartitions(table), stop);
            if ((plan.Failure ?? events.Failure ?? partitions.Failure) is { } failure)
                return ErrorPage(failure);
            var items = partitions.Value.Items;
            if (table == ListPartitions.Tables[0])
                Readings = items;
            else
                tables.Add((table, items.Count, items.Sum(p => p.Rows), items.Sum(p => p.Bytes), items.Count == 0 ? null : items[0].From));
        }
        (Plan, Events, SummaryTables) = (plan.Value, events.Value.Items, tables);
        return Page();
    }

    public bool IsToGo(PartitionInfo partition) => Plan.Items.Any(item => item.Name == partition.Name);

    public static string Day(DateTime at) => at.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
}
