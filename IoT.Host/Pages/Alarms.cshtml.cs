using IoT.Host.Operations;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace IoT.Host.Pages;

/// <summary>What stands now, alone; every page's script puts it in place.</summary>
internal sealed class AlarmsModel(AlarmBoard board) : PageModel
{
    public IReadOnlyList<StandingAlarm> Standing => board.Standing;
}
