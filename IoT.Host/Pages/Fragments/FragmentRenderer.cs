using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.Razor;
using Microsoft.AspNetCore.Mvc.Rendering;
using Microsoft.AspNetCore.Mvc.ViewFeatures;

namespace IoT.Host.Pages.Fragments;

/// <summary>A part of a page that is the same for everybody who may see it.</summary>
/// <param name="At">When it was made, UTC.</param>
internal sealed record Fragment(string Html, DateTime At)
{
    public static long SizeOf(Fragment fragment) => 100 + 2L * fragment.Html.Length;
}

/// <summary>Renders a part of a page outside of any request: there is nobody whose name or rights it could show to somebody else.</summary>
internal sealed class FragmentRenderer(IRazorViewEngine views, ITempDataProvider temporary, IServiceScopeFactory scopes)
{
    private const string Folder = "/Pages";

    /// <param name="page">The page that it belongs to, such as <c>/Devices/Device</c>; its own parts are looked for from there.</param>
    /// <param name="name">The view's, in the page's folder.</param>
    public async Task<Fragment> RenderAsync<TModel>(string page, string name, TModel model, DateTime at)
    {
        await using var scope = scopes.CreateAsyncScope();
        var http = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        var action = new ActionDescriptor { RouteValues = new Dictionary<string, string?> { ["page"] = page } };
        var route = new RouteData();
        route.Values["page"] = page;
        var context = new ActionContext(http, route, action);
        var path = $"{Folder}{page[..page.LastIndexOf('/')]}/{name}.cshtml";
        var view = views.GetView(null, path, isMainPage: false).View ?? throw new InvalidOperationException($"There is no {path}.");
        await using var text = new StringWriter(CultureInfo.InvariantCulture);
        var data = new ViewDataDictionary<TModel>(new EmptyModelMetadataProvider(), new ModelStateDictionary()) { Model = model };
        await view.RenderAsync(new ViewContext(context, view, data, new TempDataDictionary(http, temporary), text, new HtmlHelperOptions()));
        return new Fragment(text.ToString(), at);
    }
}
