using IoT.Host.Pages.Fragments;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Devices;

internal sealed class DeviceModel(IMediator mediator, TimeProvider time) : SitePage
{
    public const int MostNewest = 20;
    public const int MostDataTypes = 20;
    public const int MostMembers = 60;

    /// <summary>The times a chart can span, in hours.</summary>
    public static readonly IReadOnlyList<int> Ranges = [1, 3, 24];

    [BindProperty(SupportsGet = true)]
    public string Id { get; set; } = "";

    [BindProperty(SupportsGet = true)]
    public int Hours { get; set; }

    public DateTime Now { get; } = time.GetUtcNow().UtcDateTime;

    public Device Device { get; private set; } = null!;

    public IReadOnlyList<StoredReading> Latest { get; private set; } = [];

    public IReadOnlyList<StoredReading> Newest { get; private set; } = [];

    public Fragment Charts { get; private set; } = null!;

    public string State => Device.Status == DeviceStatus.Disabled ? "disabled" : Presence.IsOnline(Device.LastSeenAt, Now) ? "online" : "offline";

    public async Task<IActionResult> OnGetAsync(CancellationToken stop) =>
        (await LoadDeviceAsync(stop) ?? await LoadLatestAsync(stop) ?? await LoadNewestAsync(stop) ?? await LoadChartsAsync(stop)) is { } failure
            ? ErrorPage(failure)
            : Page();

    public async Task<IActionResult> OnGetLatestAsync(CancellationToken stop) =>
        (await LoadDeviceAsync(stop) ?? await LoadLatestAsync(stop)) is { } failure ? ErrorPage(failure) : Partial("_Latest", this);

    public async Task<IActionResult> OnGetNewestAsync(CancellationToken stop) =>
        await LoadNewestAsync(stop) is { } failure ? ErrorPage(failure) : Partial("_Newest", this);

    public async Task<IActionResult> OnGetChartsAsync(CancellationToken stop) =>
        await LoadChartsAsync(stop) is { } failure ? ErrorPage(failure) : Part(Charts);

    private async Task<Failure?> LoadDeviceAsync(CancellationToken stop)
    {
        var device = await mediator.Send(new GetDevice(Id), stop);
        if (device.Failure is null)
            Device = device.Value;
        return device.Failure;
    }

    private async Task<Failure?> LoadLatestAsync(CancellationToken stop)
    {
        var latest = await mediator.Send(new GetLatest(Id), stop);
        if (latest.Failure is null)
            Latest = latest.Value.Items;
        return latest.Failure;
    }

    private async Task<Failure?> LoadNewestAsync(CancellationToken stop)
    {
        var newest = await mediator.Send(new GetHistory(Id, null, null, null, null, MostNewest), stop);
        if (newest.Failure is null)
            Newest = newest.Value.Items;
        return newest.Failure;
    }

    private async Task<Failure?> LoadChartsAsync(CancellationToken stop)
    {
        if (!Ranges.Contains(Hours))
            Hours = Ranges[0];
        var charts = await mediator.Send(new RenderCharts(Id, Hours), stop);
        if (charts.Failure is null)
            Charts = charts.Value;
        return charts.Failure;
    }
}
