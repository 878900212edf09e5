using System.Text.Encodings.Web;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace IoT.Host.SignIn;

/// <summary><c>Authorization: Bearer</c> with an API key or a device's token; 401 and 403 as problem details.</summary>
internal sealed class BearerHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, ApiKeyDirectory apiKeys, DeviceDirectory devices)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public new const string Scheme = "bearer";

    private const string Prefix = "Bearer ";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        if (header.Length == 0)
            return Task.FromResult(AuthenticateResult.NoResult());
        if (!header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return Task.FromResult(AuthenticateResult.Fail("The scheme is not Bearer."));
        var token = header[Prefix.Length..].Trim();
        var (name, role) = apiKeys.Find(token) is { } key ? (key.Name, key.Role)
            : devices.FindByToken(token) is { } device ? (device.Id, Roles.Device)
            : (null, null);
        return Task.FromResult(name is null
            ? AuthenticateResult.Fail("Nobody has this token.")
            : AuthenticateResult.Success(new AuthenticationTicket(SignInSetup.PrincipalOf(name, role!, Scheme), Scheme)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        var detail = Request.Headers.Authorization.Count > 0 ? "The credentials are not valid." : "Credentials are needed: Authorization: Bearer, then a key or token.";
        return Results.Problem(detail, statusCode: StatusCodes.Status401Unauthorized, title: "Not signed in", type: "urn:iot:problem:unauthenticated").ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        new Failure(FailureKind.Forbidden, "These credentials may not do this.").ToResult().ExecuteAsync(Context);
}
