using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Devices;

internal sealed class IndexModel(IMediator mediator, TimeProvider time) : SitePage
{
    public const int PageSize = 50;

    [BindProperty(SupportsGet = true)]
    public string? Search { get; set; }

    [BindProperty(SupportsGet = true)]
    public string? Type { get; set; }

    [BindProperty(SupportsGet = true)]
    public string? Location { get; set; }

    [BindProperty(SupportsGet = true)]
    public string? Status { get; set; }

    [BindProperty(SupportsGet = true)]
    public string? Cursor { get; set; }

    public DateTime Now { get; } = time.GetUtcNow().UtcDateTime;

    public Page<Device> Devices { get; private set; } = new([], null);

    public bool IsFiltered => Search is not null || Type is not null || Location is not null || Status is not null;

    public async Task<IActionResult> OnGetAsync(CancellationToken stop) => await LoadAsync(stop) is { } failure ? ErrorPage(failure) : Page();

    public async Task<IActionResult> OnGetLiveAsync(CancellationToken stop) =>
        await LoadAsync(stop) is { } failure ? ErrorPage(failure) : Partial("_DeviceTable", this);

    /// <summary>This list from another place on; the first page without one.</summary>
    public string LinkTo(string? cursor, string? handler = null) =>
        QueryString.Create(new Dictionary<string, string?>
        {
            ["search"] = Search, ["type"] = Type, ["location"] = Location, ["status"] = Status, ["cursor"] = cursor, ["handler"] = handler,
        }.Where(p => p.Value is not null)).ToUriComponent() is { Length: > 0 } query ? $"/devices{query}" : "/devices";

    private async Task<Failure?> LoadAsync(CancellationToken stop)
    {
        var page = await mediator.Send(new ListDevices(Search, Type, Location, Status, PageSize, Cursor), stop);
        if (page.Failure is null)
            Devices = page.Value;
        return page.Failure;
    }
}
