using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Devices;

internal sealed class DeleteModel(IMediator mediator) : SitePage
{
    public Device Device { get; private set; } = null!;

    public async Task<IActionResult> OnGetAsync(string id, CancellationToken stop)
    {
        var device = await mediator.Send(new GetDevice(id), stop);
        if (device.Failure is { } failure)
            return ErrorPage(failure);
        Device = device.Value;
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string id, CancellationToken stop) =>
        (await mediator.Send(new DeleteDevice(id), stop)).Failure is { } failure ? ErrorPage(failure) : RedirectToPage("/Devices/Index");
}
