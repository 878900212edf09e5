using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Devices;

internal sealed class NewModel(IMediator mediator) : SitePage
{
    [BindProperty(Name = "")]
    public DeviceForm Form { get; set; } = new();

    /// <summary>The device just made, with its token.</summary>
    public DeviceWithToken? Made { get; private set; }

    public async Task<IActionResult> OnPostAsync(CancellationToken stop)
    {
        var labels = Form.Labels();
        if (labels.Failure is { } invalid)
            return FormAgain(invalid);
        var made = await mediator.Send(new CreateDevice(Form.Id, Form.Name, Form.Type, Form.Location, labels.Value), stop);
        if (made.Failure is { } failure)
            return FormAgain(failure);
        Made = made.Value;
        return Page();
    }
}
