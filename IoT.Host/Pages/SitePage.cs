using IoT.Host.Pages.Fragments;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace IoT.Host.Pages;

/// <summary>What the pages share.</summary>
internal abstract class SitePage : PageModel
{
    /// <summary>What was wrong with the form as a whole; null when nothing was.</summary>
    public string? Problem { get; private set; }

    /// <summary>What was wrong, by field.</summary>
    public Dictionary<string, string> Errors { get; } = new(StringComparer.Ordinal);

    public bool MayOperate => User.IsInRole(Roles.Admin) || User.IsInRole(Roles.Operator);

    /// <summary>A part of a page, alone.</summary>
    public static ContentResult Part(Fragment fragment) => new() { Content = fragment.Html, ContentType = "text/html; charset=utf-8" };

    /// <summary>The page of an error instead of this one.</summary>
    protected IActionResult ErrorPage(Failure failure)
    {
        var status = Problems.StatusOf(failure.Kind);
        if (status == StatusCodes.Status503ServiceUnavailable)
            Response.Headers.RetryAfter = Problems.RetryAfterSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return StatusCode(status);
    }

    /// <summary>This page again, with what was wrong at the fields of its form.</summary>
    protected IActionResult FormAgain(Failure failure)
    {
        foreach (var (name, errors) in failure.Errors ?? new Dictionary<string, string[]>())
        {
            // Labels have one field together.
            var (field, error) = name.StartsWith("labels.", StringComparison.Ordinal)
                ? ("labels", $"{name["labels.".Length..]}: {string.Join("; ", errors)}")
                : (name, string.Join("; ", errors));
            Errors[field] = Errors.TryGetValue(field, out var before) ? $"{before}; {error}" : error;
        }
        Problem = failure.Errors is null ? failure.Detail : "Some values can’t be taken; see below.";
        Response.StatusCode = Problems.StatusOf(failure.Kind);
        return Page();
    }
}

/// <summary>One field of a form, for <c>_Field.cshtml</c>.</summary>
internal sealed record Field(string Name, string Label, string? Value, string? Error = null, string? Hint = null)
{
    public string Type { get; init; } = "text";

    public string? Autocomplete { get; init; } = "off";

    public bool IsRequired { get; init; }

    /// <summary>Choices, value and text; empty for an input.</summary>
    public IReadOnlyList<(string Value, string Text)> Options { get; init; } = [];

    /// <summary>Makes ids unique where a page has two forms.</summary>
    public string IdPrefix { get; init; } = "";

    public string Id => IdPrefix + Name;

    public string? DescribedBy => string.Join(' ', new[] { Hint is null ? null : Id + "-hint", Error is null ? null : Id + "-error" }.OfType<string>()) is { Length: > 0 } ids ? ids : null;
}
