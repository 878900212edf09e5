using System.Text.Encodings.Web;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace IoT.Host.SignIn;

/// <summary><c>Authorization: Bearer</c> with an API key or a device's token; 401 and 403 as problem details.</summary>
internal sealed class BearerHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, BearerCredentials credentials)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public new const string Scheme = "bearer";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(credentials.Authenticate(Request));

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        var detail = Request.Headers.Authorization.Count > 0 ? "The credentials are not valid." : "Credentials are needed: Authorization: Bearer, then a key or token.";
        return Results.Problem(detail, statusCode: StatusCodes.Status401Unauthorized, title: "Not signed in", type: "urn:iot:problem:unauthenticated").ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        new Failure(FailureKind.Forbidden, "These credentials may not do this.").ToResult().ExecuteAsync(Context);
}
