using System.Security.Cryptography.X509Certificates;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Modules.Gateway.Tls;

/// <summary>The device that a client's certificate names.</summary>
internal static class DeviceCertificate
{
    private const string CommonName = "2.5.4.3";

    /// <summary>Null: no TLS, no certificate (one that is not of the CA does not get that far), or one that names no device.</summary>
    public static string? DeviceOf(ConnectionContext connection) =>
        connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is { } certificate ? DeviceOf(certificate) : null;

    /// <summary>The subject's CN, when it has just one and that is a device id.</summary>
    public static string? DeviceOf(X509Certificate2 certificate)
    {
        string? device = null;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements || part.GetSingleElementType().Value != CommonName)
                continue;
            if (device is not null)
                return null;
            device = part.GetSingleElementValue();
        }
        return device is not null && DeviceId.IsValid(device) ? device : null;
    }
}
