using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Tls;

/// <summary>
/// The certificates in use. The files are read every other second (by content: a mount's links and times prove nothing); new handshakes
/// get what is new and whole, connections that are open go on. Files that are wrong change nothing and raise an alarm.
/// </summary>
internal sealed partial class CertificateKeeper : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ExpiryWarning = TimeSpan.FromDays(14);

    // As long as a connection without TLS has for its CONNECT.
    private static readonly TimeSpan LongestHandshake = TimeSpan.FromSeconds(5);

    private readonly ListenOptions _listen;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private CertificateFiles _files;
    private Certificates _current;
    private string? _trouble;

    /// <exception cref="StartupException">The files are wrong.</exception>
    public CertificateKeeper(ListenOptions listen, TimeProvider time, ILogger<CertificateKeeper> logger)
    {
        (_listen, _time, _logger) = (listen, time, logger);
        _files = CertificateFiles.Read(listen);
        _current = _files.Parse(listen);
    }

    /// <summary>For MQTT: clients may show a certificate of the CA in the settings, and must if they have no token.</summary>
    public TlsHandshakeCallbackOptions Mqtt => Options(certificates => new SslServerAuthenticationOptions
    {
        ClientCertificateRequired = certificates.ClientRoots is not null,
        CertificateChainPolicy = certificates.ClientRoots is { } roots ? PolicyOf(roots) : null,
        // No certificate is as good as one of the CA: the token decides then.
        RemoteCertificateValidationCallback = (_, _, _, errors) => errors is SslPolicyErrors.None or SslPolicyErrors.RemoteCertificateNotAvailable,
        // Clients name "mqtt", or names of their makers: there is nothing to choose from.
        ApplicationProtocols = [],
    });

    public TlsHandshakeCallbackOptions Https => Options(_ => new SslServerAuthenticationOptions());

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var alarms = new List<Alarm>();
        var expires = new DateTimeOffset(Volatile.Read(ref _current).Leaf.NotAfter);
        if (Volatile.Read(ref _trouble) is { } trouble)
            alarms.Add(new Alarm("certificate_unreadable", AlarmLevel.Warning, $"The new certificate is not used, the old one still is: {trouble}", "Mend the file; it is read every two seconds"));
        if (expires - _time.GetUtcNow() is var left && left < ExpiryWarning)
        {
            alarms.Add(left <= TimeSpan.Zero
                ? new Alarm("certificate_expired", AlarmLevel.Critical, $"The certificate of the TLS listeners has expired: {expires:u}", "Put a new one in its place")
                : new Alarm("certificate_expires", AlarmLevel.Warning, $"The certificate of the TLS listeners expires: {expires:u}", "Put a new one in its place"));
        }
        return Task.FromResult(AlarmHealth.Of($"valid until {expires:u}", alarms));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Refresh();
    }

    private void Refresh()
    {
        try
        {
            var files = CertificateFiles.Read(_listen);
            if (!files.IsSameAs(_files))
            {
                var certificates = files.Parse(_listen);
                (_files, _current) = (files, certificates);
                LogReloaded(certificates.Leaf.Subject, certificates.Leaf.NotAfter.ToUniversalTime());
            }
            Volatile.Write(ref _trouble, null);
        }
        catch (StartupException exception)
        {
            // Certificate and key are replaced one after the other: between them they don't fit, which is worth a line only if it lasts.
            if (_trouble != exception.Message)
                LogWrong(exception.Message);
            Volatile.Write(ref _trouble, exception.Message);
        }
    }

    private TlsHandshakeCallbackOptions Options(Func<Certificates, SslServerAuthenticationOptions> make)
    {
        var made = (For: (Certificates?)null, Options: new SslServerAuthenticationOptions());
        return new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = LongestHandshake,
            OnConnection = _ =>
            {
                lock (make)
                {
                    var current = Volatile.Read(ref _current);
                    if (made.For != current)
                    {
                        made = (current, make(current));
                        made.Options.ServerCertificateContext = current.Server;
                        made.Options.EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
                    }
                    return ValueTask.FromResult(made.Options);
                }
            },
        };
    }

    private static X509ChainPolicy PolicyOf(X509Certificate2Collection roots)
    {
        // Whom a device's certificate is revoked from is disabled or deleted in the registry.
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(roots);
        return policy;
    }

    [LoggerMessage(2400, LogLevel.Information, "New connections over TLS get the certificate of {Subject}, valid until {NotAfter:u}")]
    private partial void LogReloaded(string subject, DateTime notAfter);

    [LoggerMessage(2401, LogLevel.Warning, "The changed certificate files can't be used, and the certificate from before stays: {What}")]
    private partial void LogWrong(string what);
}
