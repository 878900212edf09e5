using System.Security.Claims;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>Who brings a reading in, whatever the protocol.</summary>
/// <param name="Device">The device whose token it showed; null for the others.</param>
internal readonly record struct Sender(SenderKind Kind, DeviceEntry? Device = null)
{
    /// <summary>The sender behind an HTTP request; null when it may not bring readings in at all.</summary>
    public static Sender? Of(ClaimsPrincipal user, DeviceDirectory directory)
    {
        if (user.IsInRole(Roles.Admin))
            return new Sender(SenderKind.Admin);
        if (user.IsInRole(Roles.Device) && user.Identity?.Name is { } id && directory.Find(id) is { } device)
            return new Sender(SenderKind.Device, device);
        return user.Identity?.IsAuthenticated == true ? null : new Sender(SenderKind.Anonymous);
    }
}

internal enum SenderKind
{
    /// <summary>Without credentials, where the setting lets them in.</summary>
    Anonymous,

    /// <summary>With a device's token: only for itself.</summary>
    Device,

    /// <summary>With an admin's key or session: for any device.</summary>
    Admin,
}
