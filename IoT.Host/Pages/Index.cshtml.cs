using IoT.Host.Pages.Fragments;
using MediatR;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace IoT.Host.Pages;

internal sealed class IndexModel(IMediator mediator) : PageModel
{
    public Fragment Overview { get; private set; } = null!;

    public async Task OnGetAsync(CancellationToken stop) => Overview = await mediator.Send(new RenderOverview(), stop);

    /// <summary>What changes, alone; the page's script puts it in place.</summary>
    public async Task<IActionResult> OnGetLiveAsync(CancellationToken stop) => SitePage.Part(await mediator.Send(new RenderOverview(), stop));
}
