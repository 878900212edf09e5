using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A device's status: what an operator allows it, not whether it is connected.</summary>
public static class DeviceStatus
{
    public const string Active = "active";

    /// <summary>Its readings are refused and its connections ended.</summary>
    public const string Disabled = "disabled";
}

/// <summary>A device as the API shows it. Times are UTC.</summary>
public sealed record Device(
    string Id, string? Name, string? Type, string? Location, IReadOnlyDictionary<string, string> Labels, string Status,
    DateTime CreatedAt, DateTime? LastSeenAt);

/// <summary>A device together with its token, shown this once.</summary>
public sealed record DeviceWithToken(
    string Id, string? Name, string? Type, string? Location, IReadOnlyDictionary<string, string> Labels, string Status,
    DateTime CreatedAt, DateTime? LastSeenAt, string Token);

/// <summary>A page of a list; <paramref name="NextCursor"/> is null on the last one.</summary>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor);

/// <summary>Registers a device. Fails as <see cref="FailureKind.Conflict"/> when the id is taken.</summary>
public sealed record CreateDevice(string? Id, string? Name, string? Type, string? Location, IReadOnlyDictionary<string, string>? Labels)
    : IRequest<Outcome<DeviceWithToken>>, IValidated
{
    public IEnumerable<FieldError> Validate() => DeviceRules.Id(Id).Concat(DeviceRules.Texts(Name, Type, Location, Labels));
}

/// <summary>Devices by id, those whose id or name contains <paramref name="Search"/> (case ignored).</summary>
/// <param name="Limit">1 to 1,000; default 100.</param>
/// <param name="Cursor">From the page before.</param>
public sealed record ListDevices(string? Search = null, string? Type = null, string? Location = null, string? Status = null, int? Limit = null, string? Cursor = null)
    : IRequest<Outcome<Page<Device>>>, IValidated, ILimited, ISeesAcknowledged
{
    public const int MaxLimit = 1_000;

    public static RequestGate Gate => RequestGate.Query;

    public IEnumerable<FieldError> Validate()
    {
        if (Limit is < 1 or > MaxLimit)
            yield return new("limit", $"1 to {MaxLimit}");
        if (Cursor is not null && !DeviceId.IsValid(Cursor))
            yield return new("cursor", "not a cursor of this list");
        foreach (var (field, value) in new[] { ("type", Type), ("location", Location), ("status", Status) })
        {
            // PostgreSQL's text can't hold it.
            if (value?.Contains('\0', StringComparison.Ordinal) == true)
                yield return new(field, "must not hold NUL");
        }
    }
}

/// <summary>One device; fails as <see cref="FailureKind.NotFound"/>.</summary>
public sealed record GetDevice(string Id) : IRequest<Outcome<Device>>, ILimited, ISeesAcknowledged
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>Changes what is given; a member left out stays. An empty text takes the value away.</summary>
/// <param name="Labels">Replace those there are; null leaves them.</param>
public sealed record PatchDevice(string Id, string? Name, string? Type, string? Location, IReadOnlyDictionary<string, string>? Labels, string? Status)
    : IRequest<Outcome<Device>>, IValidated, ISeesAcknowledged
{
    /// <summary>Single labels to set, or with null to take away; the others stay.</summary>
    public IReadOnlyDictionary<string, string?> LabelChanges { get; init; } = new Dictionary<string, string?>();

    public IEnumerable<FieldError> Validate()
    {
        foreach (var error in DeviceRules.Texts(Name, Type, Location, Labels))
            yield return error;
        foreach (var error in DeviceRules.Texts(null, null, null, LabelChanges.ToDictionary(label => label.Key, label => label.Value ?? "")))
            yield return error;
        if (Status is not (null or DeviceStatus.Active or DeviceStatus.Disabled))
            yield return new("status", $"{DeviceStatus.Active} or {DeviceStatus.Disabled}");
    }
}

/// <summary>Takes a device and its credential out of the registry; its readings stay until their time is over.</summary>
public sealed record DeleteDevice(string Id) : IRequest<Outcome<Done>>, ISeesAcknowledged;

/// <summary>Gives a device a new token; the old one ends at once.</summary>
public sealed record RotateToken(string Id) : IRequest<Outcome<DeviceWithToken>>, ISeesAcknowledged;

/// <summary>News: a device's credential or status changed, or it was deleted; connections made with the old one must end.</summary>
public sealed record DeviceAccessChanged(string DeviceId) : INotification;

/// <summary>
/// News, after the commit and in order for each device: a device was registered, changed or taken out. Not for one that is registered by
/// its first reading: that comes as <see cref="ReadingsStored"/>, and it has neither type nor location.
/// </summary>
/// <param name="Type">Null: none.</param>
/// <param name="Location">Null: none.</param>
/// <param name="IsRemoved">It is no longer in the registry.</param>
public sealed record DeviceChanged(string DeviceId, string? Type, string? Location, bool IsRemoved = false) : INotification;

/// <summary>What a device's fields may hold.</summary>
public static class DeviceRules
{
    public const int MaxText = 200;
    public const int MaxLabels = 64;

    internal static IEnumerable<FieldError> Id(string? id)
    {
        if (id is null || !DeviceId.IsValid(id))
            yield return new("id", DeviceId.Rule);
    }

    internal static IEnumerable<FieldError> Texts(string? name, string? type, string? location, IReadOnlyDictionary<string, string>? labels)
    {
        foreach (var (field, value) in new[] { ("name", name), ("type", type), ("location", location) })
        {
            if (value is not null && !IsText(value, 0))
                yield return new(field, $"at most {MaxText} characters, no control characters");
        }
        if (labels is null)
            yield break;
        if (labels.Count > MaxLabels)
            yield return new("labels", $"at most {MaxLabels}");
        foreach (var (key, value) in labels)
        {
            if (!IsText(key, 1) || value is null || !IsText(value, 0))
                yield return new($"labels.{(key.Length <= 40 ? key : key[..40])}", $"name and value are texts of at most {MaxText} characters without control characters");
        }
    }

    private static bool IsText(string value, int minimum) =>
        value.Length >= minimum && value.Length <= MaxText && !value.Any(char.IsControl) && IsWellFormed(value);

    private static bool IsWellFormed(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (char.IsHighSurrogate(value[i]) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
                i++;
            else if (char.IsSurrogate(value[i]))
                return false;
        }
        return true;
    }
}
