using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Devices;

internal sealed class EditModel(IMediator mediator) : SitePage
{
    [BindProperty(Name = "")]
    public DeviceForm Form { get; set; } = new();

    public async Task<IActionResult> OnGetAsync(string id, CancellationToken stop)
    {
        var device = await mediator.Send(new GetDevice(id), stop);
        if (device.Failure is { } failure)
            return ErrorPage(failure);
        Form = DeviceForm.Of(device.Value);
        return Page();
    }

    public async Task<IActionResult> OnPostAsync(string id, CancellationToken stop)
    {
        Form.Id = id;
        var labels = Form.Labels();
        if (labels.Failure is { } invalid)
            return FormAgain(invalid);
        var changed = await mediator.Send(new PatchDevice(id, Form.Name ?? "", Form.Type ?? "", Form.Location ?? "", labels.Value, Form.Status), stop);
        return changed.Failure switch
        {
            null => Redirect(Link.Device(id)),
            { Kind: FailureKind.NotFound } failure => ErrorPage(failure),
            var failure => FormAgain(failure),
        };
    }
}
