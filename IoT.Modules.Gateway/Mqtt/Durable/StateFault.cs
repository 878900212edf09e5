using Microsoft.Data.Sqlite;

namespace IoT.Modules.Gateway.Mqtt.Durable;

/// <summary>What SQLite's errors mean here.</summary>
internal static class StateFault
{
    private const int Corrupt = 11, NotADatabase = 26;
    private const int Full = 13;
    private const int SyncFailed = 1034, DirectorySyncFailed = 1290;

    /// <summary>The file is not what was written.</summary>
    public static bool IsDamage(Exception exception) =>
        exception is InvalidDataException || exception is SqliteException { SqliteErrorCode: Corrupt or NotADatabase };

    /// <summary>There is no room: on the disk, or within the file's own bound.</summary>
    public static bool IsFull(Exception exception) => exception is SqliteException { SqliteErrorCode: Full };

    /// <summary>What is on disk is not known any more: as with the ingest log, the end.</summary>
    public static bool IsFatal(Exception exception) =>
        exception is SqliteException { SqliteExtendedErrorCode: SyncFailed or DirectorySyncFailed };
}
