using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Devices;

internal sealed class TokenModel(IMediator mediator) : SitePage
{
    public Device Device { get; private set; } = null!;

    /// <summary>The token just made.</summary>
    public string? Token { get; private set; }

    public async Task<IActionResult> OnGetAsync(string id, CancellationToken stop)
    {
        var device = await mediator.Send(new GetDevice(id), stop);
        if (device.Failure is { } failure)
            return ErrorPage(failure);
        Device = device.Value;
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string id, CancellationToken stop)
    {
        var rotated = await mediator.Send(new RotateToken(id), stop);
        if (rotated.Failure is { } failure)
            return ErrorPage(failure);
        var d = rotated.Value;
        (Device, Token) = (new Device(d.Id, d.Name, d.Type, d.Location, d.Labels, d.Status, d.CreatedAt, d.LastSeenAt), d.Token);
        return Page();
    }
}
