using IoT.Tests.Support;
using Microsoft.Playwright;
using Xunit;

namespace IoT.Tests.Pages;

/// <summary>Debian's Chromium, and a platform whose only readings are those of these tests.</summary>
public sealed class Browser : IAsyncLifetime
{
    private IPlaywright? _playwright;
    private IBrowser? _chromium;

    public Platform Platform { get; } = new();

    public async ValueTask InitializeAsync()
    {
        await Platform.StartAsync();
        _playwright = await Playwright.CreateAsync();
        _chromium = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = "/usr/bin/chromium",
            Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
            Timeout = 120_000,
        });
    }

    /// <summary>A fresh profile.</summary>
    internal async Task<Visit> VisitAsync(int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light, bool javaScript = true, Platform? platform = null)
    {
        var context = await _chromium!.NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = (platform ?? Platform).BaseUrl,
            ViewportSize = new ViewportSize { Width = width, Height = height },
            ColorScheme = scheme,
            JavaScriptEnabled = javaScript,
        });
        context.SetDefaultTimeout(60_000);
        return new Visit(context, await context.NewPageAsync());
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
            await _chromium.DisposeAsync();
        _playwright?.Dispose();
        await Platform.DisposeAsync();
    }
}

/// <summary>One person's window, and what went wrong in it.</summary>
internal sealed class Visit : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _hosts = [];
    private readonly List<string> _errors = [];

    public Visit(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        context.Request += (_, request) =>
        {
            var uri = new Uri(request.Url);
            if (uri.Scheme is "http" or "https" or "ws" or "wss")
                _hosts.Add(uri.Authority);
        };
        context.Console += (_, message) =>
        {
            if (message.Type == "error" || message.Text.Contains("Content Security Policy", StringComparison.OrdinalIgnoreCase))
                _errors.Add(message.Text);
        };
        context.WebError += (_, error) => _errors.Add(error.Error);
    }

    public IPage Page { get; }

    public async Task SignInAsync(string name = "admin", string password = Platform.AdminPassword)
    {
        await Page.GotoAsync("/");
        Assert.EndsWith("/login", new Uri(Page.Url).AbsolutePath, StringComparison.Ordinal);
        await Page.Locator("[name=name]").FillAsync(name);
        await Page.Locator("[name=password]").FillAsync(password);
        await Page.Locator("main button[type=submit]").ClickAsync();
    }

    /// <summary>Opens a page and waits until everything on it has been fetched.</summary>
    public async Task OpenAsync(string path)
    {
        var answer = await Page.GotoAsync(path, new PageGotoOptions { WaitUntil = WaitUntilState.Load });
        Assert.True(answer!.Ok, $"{path}: {answer.Status}");
    }

    public Task PhotographAsync(string name) =>
        Page.ScreenshotAsync(new PageScreenshotOptions { Path = Repository.Output("screenshots", $"{name}.png"), FullPage = true });

    /// <summary>Nothing came from another host, and the console holds no error, the content security policy's included.</summary>
    public void AssertClean(Platform platform)
    {
        Assert.NotEmpty(_hosts);
        Assert.All(_hosts, host => Assert.Equal(new Uri(platform.BaseUrl).Authority, host));
        Assert.Empty(_errors);
    }

    public async ValueTask DisposeAsync() => await _context.CloseAsync();
}
