using System.Globalization;
using System.Net;
using IoT.Host.SignIn;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace IoT.Host.Pages;

internal sealed class LoginModel(IMediator mediator, SignInThrottle throttle) : PageModel
{
    private const int LongestPassword = 256;

    [BindProperty]
    public string? Name { get; set; }

    [BindProperty]
    public string? Password { get; set; }

    [BindProperty(SupportsGet = true)]
    public string? ReturnUrl { get; set; }

    public string? Problem { get; private set; }

    public IActionResult OnGet() => User.Identity?.IsAuthenticated == true ? LocalRedirect(Target) : Page();

    public async Task<IActionResult> OnPostAsync(CancellationToken stop)
    {
        var address = HttpContext.Connection.RemoteIpAddress ?? IPAddress.None;
        if (!throttle.IsOpen(address))
        {
            Response.Headers.RetryAfter = SignInThrottle.Period.TotalSeconds.ToString(CultureInfo.InvariantCulture);
            return Again(StatusCodes.Status429TooManyRequests, "Too many failed sign-ins from this address. Wait a few seconds, then try again.");
        }
        if (Name is null || Password is null or { Length: > LongestPassword })
            return Wrong(address);

        var verified = await mediator.Send(new VerifyPassword(Name, Password), stop);
        switch (verified.Failure?.Kind)
        {
            case null:
                var person = verified.Value;
                await HttpContext.SignInAsync(
                    CookieAuthenticationDefaults.AuthenticationScheme,
                    SignInSetup.PrincipalOf(person.Name, person.Role, CookieAuthenticationDefaults.AuthenticationScheme));
                return LocalRedirect(Target);
            case FailureKind.Busy or FailureKind.Unavailable:
                return Again(StatusCodes.Status503ServiceUnavailable, "The database does not answer, so nobody can sign in now. Try again in a moment.");
            default:
                return Wrong(address);
        }
    }

    private string Target => Url.IsLocalUrl(ReturnUrl) ? ReturnUrl : "/";

    private PageResult Wrong(IPAddress address)
    {
        throttle.Failed(address);
        return Again(StatusCodes.Status401Unauthorized, "Name or password is wrong.");
    }

    private PageResult Again(int status, string problem)
    {
        (Response.StatusCode, Problem) = (status, problem);
        return Page();
    }
}
