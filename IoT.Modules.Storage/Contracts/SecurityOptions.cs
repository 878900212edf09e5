using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Who is let in. Section <c>Security</c>.</summary>
public sealed class SecurityOptions
{
    public const string Section = "Security";

    /// <summary>At least 8 characters, used once, when the first admin is made. Default: generated and printed once.</summary>
    [Description("the first admin's password; without it one is generated on first start and printed once")]
    [MinLength(8, ErrorMessage = "at least 8 characters")]
    public string? AdminPassword { get; set; }

    /// <summary>16 to 256 characters. Default: none.</summary>
    [Description("a key with the admin role, for scripts and tests")]
    [StringLength(256, MinimumLength = 16, ErrorMessage = "16 to 256 characters")]
    public string? AdminApiKey { get; set; }

    /// <summary>Default false.</summary>
    [Description("`true` lets devices in without credentials; each is registered on its first message. A device that has a token always needs it")]
    public bool AnonymousDevices { get; set; }

    /// <summary>Default false.</summary>
    [Description("`true` lets MQTT clients without credentials publish and subscribe on any topic outside `devices/`, `inferences/` and `$SYS`")]
    public bool AnonymousTopics { get; set; }
}
