using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage;

/// <summary>The database. Section <c>Storage</c>; its connection strings are in <c>ConnectionStrings</c>.</summary>
public sealed class StorageOptions
{
    public const string Section = "Storage";

    /// <summary>Default month.</summary>
    [Description("span of a partition of `device_data`, in UTC: `month`, `week` (from Monday) or `day`. A change holds for partitions made from then on; empty ones made ahead are replaced at the start")]
    public PartitionSpan PartitionBy { get; set; } = PartitionSpan.Month;

    /// <summary>Partitions. Default 3, 3 to 24.</summary>
    [Description("how many partitions are made ahead of time")]
    [Range(3, 24, ErrorMessage = "partitions, 3 to 24")]
    public int PartitionsAhead { get; set; } = 3;

    /// <summary>Partitions. Default 100, 0 to 10,000.</summary>
    [Description("most partitions that are there because readings came for times without one (late readings, wrong clocks); what would need one more goes to the quarantine")]
    [Range(0, 10_000, ErrorMessage = "partitions, 0 to 10000")]
    public int PartitionsOnDemand { get; set; } = 100;

    /// <summary>Days. Default 1,826 (five years), 1 to 36,500.</summary>
    [Description("how long readings are kept, in days: a partition goes when all of it is older. Older readings are not taken in")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int RetentionDays { get; set; } = 1_826;

    /// <summary>MiB. Default 0, 0 to 2,147,483,647.</summary>
    [Description("most disk that readings take, in MiB, indexes included: over it the oldest partitions are dropped, never the one being written; 0 is no limit")]
    [Range(0, int.MaxValue, ErrorMessage = "MiB, 0 (no limit) to 2147483647")]
    public int ReadingsMiB { get; set; }

    /// <summary>Default true.</summary>
    [Description("`false` keeps no summaries of readings from then on")]
    public bool Summaries { get; set; } = true;

    /// <summary>Days. Default 3,653 (ten years), 1 to 36,500.</summary>
    [Description("how long hourly summaries, and daily ones with them, are kept, in days")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int SummaryDays { get; set; } = 3_653;

    /// <summary>Days. Default 2,192 (six years), 1 to 36,500.</summary>
    [Description("how long summaries of five minutes are kept, in days")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int FineSummaryDays { get; set; } = 2_192;

    /// <summary>Connections. Default 8, 2 to 1,000.</summary>
    [Description("connections in the write pool")]
    [Range(2, 1_000, ErrorMessage = "connections, 2 to 1000")]
    public int WritePoolSize { get; set; } = 8;

    /// <summary>Connections. Default 16, 2 to 1,000.</summary>
    [Description("connections in the read pool")]
    [Range(2, 1_000, ErrorMessage = "connections, 2 to 1000")]
    public int ReadPoolSize { get; set; } = 16;

    /// <summary>Seconds. Default 15, 1 to 300.</summary>
    [Description("how long a request waits for a connection of its pool, and a connection for PostgreSQL, in seconds; a `Timeout` in the connection string goes before")]
    [Range(1, 300, ErrorMessage = "seconds, 1 to 300")]
    public int ConnectTimeoutSeconds { get; set; } = 15;

    /// <summary>Seconds. Default 300, 10 to 86,400.</summary>
    [Description("connections that were not needed for so long are closed, in seconds")]
    [Range(10, 86_400, ErrorMessage = "seconds, 10 to 86400")]
    public int IdleConnectionSeconds { get; set; } = 300;

    /// <summary>Seconds. Default 3,600, 0 to 604,800.</summary>
    [Description("connections older than this are closed and made anew, in seconds; 0: never")]
    [Range(0, 604_800, ErrorMessage = "seconds, 0 (never) to 604800")]
    public int ConnectionLifetimeSeconds { get; set; } = 3_600;

    /// <summary>Statements. Default 64, 0 to 10,000.</summary>
    [Description("statements that a connection keeps prepared once they have been used twice; 0 turns it off, for poolers in between that can't")]
    [Range(0, 10_000, ErrorMessage = "statements, 0 (off) to 10000")]
    public int MaxAutoPrepare { get; set; } = 64;

    /// <summary>Milliseconds. Default 500, 100 to 3,600,000.</summary>
    [Description("how far a replica may be behind and still answer queries, in ms; further behind, they go to the primary. Over 500, what was acknowledged may be seen later than after a second")]
    [Range(100, 3_600_000, ErrorMessage = "milliseconds, 100 to 3600000")]
    public int ReplicaMaxLagMs { get; set; } = 500;

    /// <summary>Seconds. Default 60, 1 to 3,600.</summary>
    [Description("longest time one statement of the write pool may take, in seconds; what it could not store is tried again. Maintenance has limits of its own")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int WriteTimeoutSeconds { get; set; } = 60;

    /// <summary>Requests. Default 12, 1 to 1,000.</summary>
    [Description("most requests that read from the database at once; 64 times as many may wait, more are answered 503")]
    [Range(1, 1_000, ErrorMessage = "requests, 1 to 1000")]
    public int MaxConcurrentQueries { get; set; } = 12;

    /// <summary>Seconds. Default 30, 1 to 3,600.</summary>
    [Description("longest time one query may take, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int QueryTimeoutSeconds { get; set; } = 30;

    /// <summary>Seconds. Default 60, 1 to 3,600.</summary>
    [Description("longest time that one query for a chart or for summaries may take, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int ReportTimeoutSeconds { get; set; } = 60;

    /// <summary>Seconds. Default 60, 1 to 3,600.</summary>
    [Description("longest time that one chunk of a stream or an export may take in the database, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int StreamTimeoutSeconds { get; set; } = 60;

    /// <summary>Readings. Default 500,000, 1,000 to 100,000,000.</summary>
    [Description("most readings that one query may have to look at; what needs more is answered 400 with what to narrow. Streams and exports have no such limit")]
    [Range(1_000, 100_000_000, ErrorMessage = "readings, 1000 to 100000000")]
    public int MaxQueryReadings { get; set; } = 500_000;

    /// <summary>Milliseconds. Default 1,000, 0 to 3,600,000.</summary>
    [Description("queries that take longer are logged, in ms; 0 logs none")]
    [Range(0, 3_600_000, ErrorMessage = "milliseconds, 0 to 3600000")]
    public int SlowQueryMs { get; set; } = 1_000;

    /// <summary>Hours. Default 24, 1 to 8,760.</summary>
    [Description("how long a `message_id` is known at least, so that a reading that is sent again is stored once, in hours")]
    [Range(1, 8_760, ErrorMessage = "hours, 1 to 8760")]
    public int MessageIdHours { get; set; } = 24;

    /// <summary>MiB. Default 4,096, 8 to 1,048,576.</summary>
    [Description("most disk that the known message ids take in the database, in MiB; over it the oldest are forgotten early, and the component `message_ids` says so. An id takes some 200 bytes")]
    [Range(8, 1_048_576, ErrorMessage = "MiB, 8 to 1048576")]
    public int MessageIdsMiB { get; set; } = 4_096;

    /// <summary>Entries. Default 10,000, 1 to 10,000,000.</summary>
    [Description("most entries in the quarantine, each with up to 64 KiB of what came; over it the oldest are dropped")]
    [Range(1, 10_000_000, ErrorMessage = "entries, 1 to 10000000")]
    public int QuarantineEntries { get; set; } = 10_000;

    /// <summary>Days. Default 30, 1 to 36,500.</summary>
    [Description("how long they are kept at most, in days")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int QuarantineDays { get; set; } = 30;

    /// <summary>A folder. Default: searched on PATH and under /usr/lib/postgresql.</summary>
    [Description("folder with PostgreSQL's server programs, for the private cluster; default: PATH, then `/usr/lib/postgresql/*/bin`")]
    public string? PostgresBinaries { get; set; }
}
