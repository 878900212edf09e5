using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages.Access;

internal sealed class IndexModel(IMediator mediator) : SitePage
{
    public static readonly IReadOnlyList<(string, string)> RoleOptions =
        [(Roles.Viewer, "viewer: sees everything, changes nothing"), (Roles.Operator, "operator: changes devices too"), (Roles.Admin, "admin: people and keys too")];

    [BindProperty]
    public string? Name { get; set; }

    [BindProperty]
    public string? Password { get; set; }

    [BindProperty]
    public string? Role { get; set; }

    /// <summary>Which of the two forms <see cref="SitePage.Errors"/> are of: person or key.</summary>
    public string? Form { get; private set; }

    public ApiKeyWithSecret? MadeKey { get; private set; }

    public Person? MadePerson { get; private set; }

    public IReadOnlyList<Person> People { get; private set; } = [];

    public IReadOnlyList<ApiKey> Keys { get; private set; } = [];

    public string? ErrorOf(string form, string field) => Form == form ? Errors.GetValueOrDefault(field) : null;

    public async Task<IActionResult> OnGetAsync(CancellationToken stop) => await ShowAsync(null, stop);

    public async Task<IActionResult> OnPostPersonAsync(CancellationToken stop)
    {
        Form = "person";
        var added = await mediator.Send(new AddPerson(Name, Password, Role), stop);
        if (added.Failure is null)
            (MadePerson, Name) = (added.Value, null);
        return await ShowAsync(added.Failure, stop);
    }

    public async Task<IActionResult> OnPostKeyAsync(CancellationToken stop)
    {
        Form = "key";
        var added = await mediator.Send(new AddApiKey(Name, Role), stop);
        if (added.Failure is null)
            (MadeKey, Name) = (added.Value, null);
        return await ShowAsync(added.Failure, stop);
    }

    private async Task<IActionResult> ShowAsync(Failure? failure, CancellationToken stop)
    {
        var people = await mediator.Send(new ListPeople(), stop);
        var keys = await mediator.Send(new ListApiKeys(), stop);
        // A key just made must be shown even if the lists can't be.
        if ((people.Failure ?? keys.Failure) is { } away && MadeKey is null)
            return ErrorPage(away);
        People = people.Failure is null ? people.Value.Items : [];
        Keys = keys.Failure is null ? keys.Value.Items : [];
        return failure is null ? Page() : FormAgain(failure);
    }
}
