using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Access;

internal sealed class RemoveModel(IMediator mediator) : SitePage
{
    /// <summary>person or key; the route takes no other.</summary>
    [BindProperty(SupportsGet = true)]
    public string Kind { get; set; } = "";

    [BindProperty(SupportsGet = true)]
    public string Name { get; set; } = "";

    public bool IsPerson => Kind == "person";

    public async Task<IActionResult> OnPostAsync(CancellationToken stop)
    {
        var removed = IsPerson ? await mediator.Send(new RemovePerson(Name), stop) : await mediator.Send(new RemoveApiKey(Name), stop);
        return removed.Failure switch
        {
            null => RedirectToPage("/Access/Index"),
            { Kind: FailureKind.Conflict } failure => FormAgain(failure),
            var failure => ErrorPage(failure),
        };
    }
}
