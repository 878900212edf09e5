using IoT.Host.Pages.Fragments;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Host.Pages;

/// <summary>The Razor pages: everything wants a viewer but the sign-in and the error page; changing devices an operator, people and keys an admin.</summary>
internal static class PagesSetup
{
    private static readonly string[] OperatorPages = ["/Devices/New", "/Devices/Edit", "/Devices/Token", "/Devices/Delete"];

    public static void AddPages(this WebApplicationBuilder builder)
    {
        // Also when it runs from where it was built, not only once published.
        builder.WebHost.UseStaticWebAssets();
        builder.Services.AddSingleton<OverviewSource>();
        builder.Services.AddSingleton<FragmentRenderer>();
        builder.Services.AddHostedService<NewestSeed>();
        builder.Services.AddRazorPages(options =>
        {
            options.Conventions.AuthorizeFolder("/", Policies.View);
            foreach (var page in OperatorPages)
                options.Conventions.AuthorizePage(page, Policies.Operate);
            options.Conventions.AuthorizeFolder("/Access", Policies.Administer);
            options.Conventions.AllowAnonymousToPage("/Login");
            options.Conventions.AllowAnonymousToPage("/Logout");
            options.Conventions.AllowAnonymousToPage("/Error");
            // What a page shows is of this moment and for this person, and now and then a token.
            options.Conventions.ConfigureFilter(new ResponseCacheAttribute { NoStore = true, Location = ResponseCacheLocation.None });
        });
    }

    public static void MapSitePages(this WebApplication app)
    {
        // Built at the start: the uptime counts from there.
        app.Services.GetRequiredService<OverviewSource>();
        app.MapStaticAssets().AllowAnonymous();
        app.MapRazorPages().WithStaticAssets();
    }
}
