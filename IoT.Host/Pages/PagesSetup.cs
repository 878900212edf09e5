using IoT.Modules.Storage.Contracts;

namespace IoT.Host.Pages;

/// <summary>The Razor pages: everything wants a viewer but the sign-in.</summary>
internal static class PagesSetup
{
    public static void AddPages(this IServiceCollection services) =>
        services.AddRazorPages(options =>
        {
            options.Conventions.AuthorizeFolder("/", Policies.View);
            options.Conventions.AllowAnonymousToPage("/Login");
        });

    public static void MapSitePages(this WebApplication app)
    {
        app.MapStaticAssets().AllowAnonymous();
        app.MapRazorPages();
    }
}
