using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Gateway;

/// <summary>Where the host listens. Section <c>Listen</c>.</summary>
public sealed class ListenOptions
{
    public const string Section = "Listen";

    private const string PortRule = "a port, 0 to 65535; 0 turns the listener off";

    /// <summary>An IPv4 or IPv6 address, or <c>localhost</c>. Default 127.0.0.1.</summary>
    [Description("address of every listener (`0.0.0.0` in the container)")]
    [Required(ErrorMessage = AddressRule)]
    [RegularExpression("^(localhost|[0-9.]+|[0-9A-Fa-f:.]+(%\\w+)?)$", ErrorMessage = AddressRule)]
    public string Address { get; set; } = "127.0.0.1";

    private const string AddressRule = "an IPv4 or IPv6 address, or localhost";

    /// <summary>0 to 65535. Default 8080.</summary>
    [Description("HTTP port: API and page; 0 turns it off")]
    [Range(0, 65535, ErrorMessage = PortRule)]
    public int Http { get; set; } = 8080;

    /// <summary>0 to 65535. Default 1883.</summary>
    [Description("MQTT port; 0 turns it off")]
    [Range(0, 65535, ErrorMessage = PortRule)]
    public int Mqtt { get; set; } = 1883;

    /// <summary>0 to 65535. Default 0.</summary>
    [Description("port of MQTT over TLS 1.2 and 1.3 (usually 8883); 0 is off")]
    [Range(0, 65535, ErrorMessage = PortRule)]
    public int MqttTls { get; set; }

    /// <summary>0 to 65535. Default 0.</summary>
    [Description("port of HTTPS: API, page and MQTT over WebSocket (usually 8443); 0 is off")]
    [Range(0, 65535, ErrorMessage = PortRule)]
    public int Https { get; set; }

    /// <summary>Default none.</summary>
    [Description("PEM file with the certificate of the TLS listeners, first, and those that lead to its root. Read anew when it changes: no restart, and open connections stay")]
    public string? CertificatePath { get; set; }

    /// <summary>Default: the certificate's file.</summary>
    [Description("PEM file with its private key, not encrypted; without it the key is in `Listen__CertificatePath`")]
    public string? CertificateKeyPath { get; set; }

    /// <summary>Default none.</summary>
    [Description("PEM file with the CAs whose client certificates let devices in over MQTT with TLS, as an alternative to the token: the subject's CN is the device's id. Read anew like the certificate")]
    public string? ClientCaPath { get; set; }

    internal bool HasTls => MqttTls != 0 || Https != 0;

    internal string KeyPath => CertificateKeyPath ?? CertificatePath!;
}
