using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Storage;

/// <summary>The database. Section <c>Storage</c>; its connection strings are in <c>ConnectionStrings</c>.</summary>
public sealed class StorageOptions
{
    public const string Section = "Storage";

    /// <summary>Months. Default 3, 1 to 24.</summary>
    [Description("how many monthly partitions are made ahead of time")]
    [Range(1, 24, ErrorMessage = "months, 1 to 24")]
    public int PartitionsAhead { get; set; } = 3;

    /// <summary>Connections. Default 8, 2 to 1,000.</summary>
    [Description("connections in the write pool")]
    [Range(2, 1_000, ErrorMessage = "connections, 2 to 1000")]
    public int WritePoolSize { get; set; } = 8;

    /// <summary>Connections. Default 16, 2 to 1,000.</summary>
    [Description("connections in the read pool")]
    [Range(2, 1_000, ErrorMessage = "connections, 2 to 1000")]
    public int ReadPoolSize { get; set; } = 16;

    /// <summary>Requests. Default 12, 1 to 1,000.</summary>
    [Description("most requests that read from the database at once; 64 times as many may wait, more are answered 503")]
    [Range(1, 1_000, ErrorMessage = "requests, 1 to 1000")]
    public int MaxConcurrentQueries { get; set; } = 12;

    /// <summary>Seconds. Default 30, 1 to 3,600.</summary>
    [Description("longest time one query may take, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int QueryTimeoutSeconds { get; set; } = 30;

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
