using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace IoT.Host.Pages;

internal sealed class IndexModel(OverviewSource source) : PageModel
{
    public Overview Overview { get; private set; } = null!;

    public async Task OnGetAsync(CancellationToken stop) => Overview = await source.GatherAsync(stop);

    /// <summary>What changes, alone; the page's script puts it in place.</summary>
    public async Task<IActionResult> OnGetLiveAsync(CancellationToken stop) => Partial("_Overview", await source.GatherAsync(stop));
}
