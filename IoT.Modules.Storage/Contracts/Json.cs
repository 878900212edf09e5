using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace IoT.Modules.Storage.Contracts;

/// <summary>JSON as the API speaks it.</summary>
public static class Json
{
    /// <summary>The largest body of a request other than ingest, in bytes.</summary>
    public const int MaxBodyBytes = 1024 * 1024;

    /// <summary>snake_case names; what is null is written as null; unknown members are ignored.</summary>
    public static JsonSerializerOptions Options { get; } = Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.DictionaryKeyPolicy = null;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.PropertyNameCaseInsensitive = false;
        // The API's answers are never pasted into HTML; °C should look like °C.
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        return options;
    }

    /// <summary>
    /// Reads the request's body as a <typeparamref name="T"/>. Fails as invalid, naming the field, when it is not JSON or of the wrong
    /// type, and as too large over <see cref="MaxBodyBytes"/>.
    /// </summary>
    public static async Task<Outcome<T>> ReadBodyAsync<T>(HttpRequest request)
    {
        if (request.ContentLength > MaxBodyBytes)
            return new Failure(FailureKind.TooLarge, $"The body has {request.ContentLength} bytes; at most {MaxBodyBytes} are taken.");
        try
        {
            var value = await JsonSerializer.DeserializeAsync<T>(request.Body, Options, request.HttpContext.RequestAborted);
            return value is null ? Failure.Invalid("body", "a JSON object is expected") : value;
        }
        catch (JsonException exception)
        {
            var field = exception.Path is { Length: > 2 } path ? path.TrimStart('$', '.') : "body";
            return Failure.Invalid(field, field == "body" ? "not valid JSON, or not an object" : "has the wrong type, or is not valid JSON");
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return new Failure(FailureKind.TooLarge, $"The body is too large; at most {MaxBodyBytes} bytes are taken.");
        }
    }

    /// <summary>The value as JSON, or the failure as problem details.</summary>
    public static IResult ToResult<T>(this Outcome<T> outcome, int status = StatusCodes.Status200OK) =>
        outcome.Failure is { } failure ? failure.ToResult() : Results.Json(outcome.Value, Options, statusCode: status);
}
