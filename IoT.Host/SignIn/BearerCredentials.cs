using System.Runtime.CompilerServices;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace IoT.Host.SignIn;

/// <summary>
/// Who <c>Authorization: Bearer</c> names: an API key or a device's token. What says so is made once for each of them and goes with its entry;
/// whether the entry is still there is asked each time.
/// </summary>
internal sealed class BearerCredentials(ApiKeyDirectory apiKeys, DeviceDirectory devices)
{
    private const string Prefix = "Bearer ";

    private static readonly AuthenticateResult OtherScheme = AuthenticateResult.Fail("The scheme is not Bearer.");
    private static readonly AuthenticateResult Nobody = AuthenticateResult.Fail("Nobody has this token.");

    private readonly ConditionalWeakTable<ApiKeyEntry, AuthenticateResult> _ofKeys = [];
    private readonly ConditionalWeakTable<DeviceEntry, AuthenticateResult> _ofDevices = [];

    public AuthenticateResult Authenticate(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.Length == 0)
            return AuthenticateResult.NoResult();
        if (!header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return OtherScheme;
        var token = header[Prefix.Length..].Trim();
        if (apiKeys.Find(token) is { } key)
            return _ofKeys.GetValue(key, static key => Success(key.Name, key.Role));
        return devices.FindByToken(token) is { } device ? _ofDevices.GetValue(device, static device => Success(device.Id, Roles.Device)) : Nobody;
    }

    private static AuthenticateResult Success(string name, string role) =>
        AuthenticateResult.Success(new AuthenticationTicket(SignInSetup.PrincipalOf(name, role, BearerHandler.Scheme), BearerHandler.Scheme));
}

/// <summary>
/// Answers for a bearer token without the two handlers that the framework makes for each request, which took more time than all the rest of
/// signing in. Challenges and cookies go their usual way.
/// </summary>
internal sealed class QuickAuthentication(
    BearerCredentials credentials, IAuthenticationSchemeProvider schemes, IAuthenticationHandlerProvider handlers, IClaimsTransformation transform, IOptions<AuthenticationOptions> options)
    : AuthenticationService(schemes, handlers, transform, options)
{
    public override Task<AuthenticateResult> AuthenticateAsync(HttpContext context, string? scheme) =>
        (scheme is null or SignInSetup.Scheme) && context.Request.Headers.Authorization.Count > 0
            ? Task.FromResult(credentials.Authenticate(context.Request))
            : base.AuthenticateAsync(context, scheme);
}
