using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.Database;

/// <summary>Which PostgreSQL will do: 14 is the first that detaches a partition beside ingest.</summary>
internal static class ServerVersion
{
    public const int Oldest = 14;

    /// <summary>Why a server can't be used; null when it can.</summary>
    public static string? Objection(Version version) =>
        version.Major >= Oldest ? null : FormattableString.Invariant($"It is PostgreSQL {version.Major}; {Oldest} or later is needed.");

    /// <exception cref="StartupException">It is too old.</exception>
    public static void ThrowIfTooOld(Version version, string endpoint)
    {
        if (Objection(version) is { } objection)
            throw new StartupException($"PostgreSQL at {endpoint} can't be used. {objection}");
    }
}
