using System.Security.Claims;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;

namespace IoT.Host.SignIn;

/// <summary>People by cookie, programs and devices by bearer token; three policies over their roles.</summary>
internal static class SignInSetup
{
    /// <summary>Whoever asks: a token where there is one, or else the cookie.</summary>
    public const string Scheme = "iot";

    public static void AddSignIn(this IServiceCollection services)
    {
        services.AddDataProtection();
        services.AddOptions<Microsoft.AspNetCore.DataProtection.KeyManagement.KeyManagementOptions>()
            .Configure<DataOptions, ILoggerFactory>((keys, data, loggers) => keys.XmlRepository =
                new Microsoft.AspNetCore.DataProtection.Repositories.FileSystemXmlRepository(data.KeysDirectory(), loggers));

        services.AddAuthentication(Scheme)
            .AddPolicyScheme(Scheme, null, options => options.ForwardDefaultSelector = http =>
                http.Request.Headers.Authorization.Count > 0 || (IsForPrograms(http.Request.Path) && !http.Request.Cookies.ContainsKey(CookieName))
                    ? BearerHandler.Scheme
                    : CookieAuthenticationDefaults.AuthenticationScheme)
            .AddScheme<AuthenticationSchemeOptions, BearerHandler>(BearerHandler.Scheme, null)
            .AddCookie(options =>
            {
                options.Cookie.Name = CookieName;
                options.Cookie.HttpOnly = true;
                options.Cookie.SameSite = SameSiteMode.Strict;
                options.ExpireTimeSpan = TimeSpan.FromHours(12);
                options.SlidingExpiration = true;
                options.LoginPath = "/login";
                options.Events.OnValidatePrincipal = EndIfTakenOutAsync;
                options.Events.OnRedirectToLogin = context => RedirectOrChallengeAsync(context);
                options.Events.OnRedirectToAccessDenied = ForbidAsync;
            });

        services.AddSingleton<BearerCredentials>();
        services.AddScoped<IAuthenticationService, QuickAuthentication>();

        services.AddAuthorizationBuilder()
            .AddPolicy(Policies.View, policy => policy.RequireRole(Roles.Admin, Roles.Operator, Roles.Viewer))
            .AddPolicy(Policies.Operate, policy => policy.RequireRole(Roles.Admin, Roles.Operator))
            .AddPolicy(Policies.Administer, policy => policy.RequireRole(Roles.Admin));
        services.AddSingleton<SignInThrottle>();
    }

    public const string CookieName = "iot-session";

    public static void UseSignIn(this WebApplication app)
    {
        app.UseAuthentication();
        app.UseAuthorization();
    }

    public static ClaimsPrincipal PrincipalOf(string name, string role, string scheme) =>
        new(new ClaimsIdentity([new Claim(ClaimTypes.Name, name), new Claim(ClaimTypes.Role, role)], scheme));

    // Programs get status codes; only a browser that looks at pages is sent to the sign-in.
    public static bool IsForPrograms(PathString path) =>
        path.StartsWithSegments("/api") || path.StartsWithSegments("/health") || path.StartsWithSegments("/metrics") || path.StartsWithSegments("/openapi");

    private static Task RedirectOrChallengeAsync(RedirectContext<CookieAuthenticationOptions> context)
    {
        if (IsForPrograms(context.Request.Path))
            return context.HttpContext.ChallengeAsync(BearerHandler.Scheme);
        context.Response.Redirect(context.RedirectUri);
        return Task.CompletedTask;
    }

    private static Task ForbidAsync(RedirectContext<CookieAuthenticationOptions> context)
    {
        if (IsForPrograms(context.Request.Path))
            return context.HttpContext.ForbidAsync(BearerHandler.Scheme);
        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return Task.CompletedTask;
    }

    private static async Task EndIfTakenOutAsync(CookieValidatePrincipalContext context)
    {
        var people = context.HttpContext.RequestServices.GetRequiredService<PeopleDirectory>();
        var user = context.Principal!;
        if (people.Has(user.Identity?.Name ?? "", user.FindFirstValue(ClaimTypes.Role) ?? ""))
            return;
        context.RejectPrincipal();
        await context.HttpContext.SignOutAsync(CookieAuthenticationDefaults.AuthenticationScheme);
    }
}
