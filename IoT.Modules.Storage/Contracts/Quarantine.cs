using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>What was acknowledged, or came from one who can't be told, and can't be stored; on its way into the quarantine.</summary>
/// <param name="DeviceId">The device that sent it, or for which it was sent.</param>
/// <param name="Topic">Of MQTT; null: not known.</param>
/// <param name="Protocol">Null: not known.</param>
/// <param name="ReceivedAt">UTC.</param>
/// <param name="Reason">Why it can't be stored; for text columns, without NUL.</param>
/// <param name="Length">Of all of it, in bytes.</param>
/// <param name="Bytes">The first <see cref="MaxBytes"/> of it at most.</param>
public sealed record QuarantineEntry(string DeviceId, string? Topic, string? Protocol, DateTime ReceivedAt, string Reason, long Length, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>How many bytes of an entry are kept.</summary>
    public const int MaxBytes = 64 * 1024;

    private const int MaxReasonCharacters = 1_000;

    /// <summary>The entry with as much as is kept of bytes and reason.</summary>
    public static QuarantineEntry Of(string deviceId, string? topic, string? protocol, DateTime receivedAt, string reason, ReadOnlyMemory<byte> bytes) =>
        new(deviceId, topic, protocol, receivedAt, Cut(reason.Replace('\0', '\uFFFD')), bytes.Length, bytes[..Math.Min(bytes.Length, MaxBytes)]);

    // A cut pair of surrogates would not be text.
    private static string Cut(string reason) =>
        reason.Length <= MaxReasonCharacters ? reason : $"{reason.AsSpan(0, char.IsHighSurrogate(reason[MaxReasonCharacters - 1]) ? MaxReasonCharacters - 1 : MaxReasonCharacters)}…";
}

/// <summary>An entry of the quarantine as the API shows it.</summary>
/// <param name="Length">Of what came, in bytes.</param>
/// <param name="Kept">How many of these bytes are kept: the first 64 KiB.</param>
public sealed record QuarantinedItem(long Id, string DeviceId, string? Topic, string? Protocol, DateTime ReceivedAt, string Reason, long Length, int Kept);

/// <summary>An entry and its bytes.</summary>
public sealed record QuarantinedBytes(QuarantinedItem Item, byte[] Bytes);

/// <summary>The quarantine, newest first.</summary>
/// <param name="DeviceId">Null: of all devices.</param>
/// <param name="After">Only entries with smaller ids; null: from the newest.</param>
public sealed record ListQuarantine(string? DeviceId, long? After, int Limit) : IRequest<Outcome<Page<QuarantinedItem>>>, ILimited, ISeesAcknowledged
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>One entry with its bytes. Fails as not found.</summary>
public sealed record GetQuarantined(long Id) : IRequest<Outcome<QuarantinedBytes>>, ISeesAcknowledged;

/// <summary>Takes an entry out. Fails as not found.</summary>
/// <param name="WasRetried">It has been brought in again and is accounted for as that: no longer as quarantined.</param>
public sealed record RemoveQuarantined(long Id, bool WasRetried = false) : IRequest<Outcome<Removed>>;

/// <param name="Ledger">What that adds to the device's counts; null: nothing.</param>
public readonly record struct Removed(LedgerCounts? Ledger);

/// <summary>Takes all entries out, or all of one device; answers how many.</summary>
public sealed record ClearQuarantine(string? DeviceId) : IRequest<Outcome<int>>, ISeesAcknowledged;
