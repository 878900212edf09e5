using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Failures as RFC 9457 problem details: the one mapping from <see cref="FailureKind"/> to HTTP.</summary>
public static class Problems
{
    /// <summary>Seconds that a busy or unavailable answer asks the caller to wait.</summary>
    public const int RetryAfterSeconds = 2;

    public static int StatusOf(FailureKind kind) => kind switch
    {
        FailureKind.Invalid => StatusCodes.Status400BadRequest,
        FailureKind.Forbidden => StatusCodes.Status403Forbidden,
        FailureKind.NotFound => StatusCodes.Status404NotFound,
        FailureKind.Conflict => StatusCodes.Status409Conflict,
        FailureKind.TooLarge => StatusCodes.Status413PayloadTooLarge,
        FailureKind.RateLimited => StatusCodes.Status429TooManyRequests,
        FailureKind.Busy or FailureKind.Unavailable => StatusCodes.Status503ServiceUnavailable,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    /// <summary>The stable <c>type</c> of a failure, <c>urn:iot:problem:</c> and the kind in kebab case.</summary>
    public static string TypeOf(FailureKind kind) => kind switch
    {
        FailureKind.Invalid => "urn:iot:problem:invalid",
        FailureKind.Forbidden => "urn:iot:problem:forbidden",
        FailureKind.NotFound => "urn:iot:problem:not-found",
        FailureKind.Conflict => "urn:iot:problem:conflict",
        FailureKind.TooLarge => "urn:iot:problem:too-large",
        FailureKind.RateLimited => "urn:iot:problem:rate-limited",
        FailureKind.Busy => "urn:iot:problem:busy",
        FailureKind.Unavailable => "urn:iot:problem:unavailable",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    /// <summary>The failure as a result; <paramref name="extensions"/> are further members of the problem object.</summary>
    public static IResult ToResult(this Failure failure, IReadOnlyDictionary<string, object?>? extensions = null)
    {
        var problem = new ProblemDetails
        {
            Status = StatusOf(failure.Kind),
            Type = TypeOf(failure.Kind),
            Title = TitleOf(failure.Kind),
            Detail = failure.Detail,
        };
        if (failure.Errors is not null)
            problem.Extensions["errors"] = failure.Errors;
        foreach (var (name, value) in (failure.Extensions ?? new Dictionary<string, object?>()).Concat(extensions ?? new Dictionary<string, object?>()))
            problem.Extensions[name] = value;
        return new ProblemResult(problem, failure.Kind is FailureKind.RateLimited or FailureKind.Busy or FailureKind.Unavailable ? SecondsUntilRetry(failure) : null);
    }

    private static string TitleOf(FailureKind kind) => kind switch
    {
        FailureKind.Invalid => "The request is not valid",
        FailureKind.Forbidden => "Not allowed",
        FailureKind.NotFound => "Not found",
        FailureKind.Conflict => "Conflict",
        FailureKind.TooLarge => "Too large",
        FailureKind.RateLimited => "Over the rate",
        FailureKind.Busy => "Too busy",
        FailureKind.Unavailable => "Not available now",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    // Whole seconds, and never too early.
    private static int SecondsUntilRetry(Failure failure) =>
        failure.RetryAfter is { } wait ? (int)Math.Clamp(Math.Ceiling(wait.TotalSeconds), 1, int.MaxValue) : RetryAfterSeconds;

    private sealed class ProblemResult(ProblemDetails problem, int? retryAfterSeconds) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            if (retryAfterSeconds is { } seconds)
                httpContext.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
            return Results.Problem(problem).ExecuteAsync(httpContext);
        }
    }
}
