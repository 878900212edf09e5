using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace IoT.Host.Pages;

/// <summary>What a browser sees instead of a page: the pipeline comes here again with whatever method the request had.</summary>
[IgnoreAntiforgeryToken]
internal sealed class ErrorModel : PageModel
{
    [BindProperty(SupportsGet = true)]
    public int Status { get; set; }

    public string Heading { get; private set; } = "";

    public string Explanation { get; private set; } = "";

    public void OnGet() => Explain();

    public void OnPost() => Explain();

    private void Explain()
    {
        // Asked for by its own address it is nothing but a page that does not exist.
        var isAnswer = HttpContext.Features.Get<IStatusCodeReExecuteFeature>() is not null || HttpContext.Features.Get<IExceptionHandlerFeature>() is not null;
        Status = isAnswer && Status is >= 400 and <= 599 ? Status : StatusCodes.Status404NotFound;
        Response.StatusCode = Status;
        (Heading, Explanation) = Status switch
        {
            400 => ("That could not be understood", "The form may have been open for too long. Go back, reload the page, and try again."),
            403 => ("Not allowed", "Your role does not allow this. An admin can give you another."),
            404 => ("Not found", "There is nothing at this address. It may have been deleted or renamed."),
            405 => ("Not like this", "This page can’t be asked for in that way."),
            503 => ("Not available now", "The database does not answer, or is too busy. Try again in a moment; the overview shows the state of each component."),
            >= 500 => ("Something went wrong", "That is our fault, and it is in the log. Try again; if it stays, tell whoever looks after this installation."),
            _ => ("That did not work", "Go back and try again."),
        };
    }
}
