using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Caching;

/// <summary>The cache. Section <c>Caching</c>; Redis is <c>ConnectionStrings__Redis</c>.</summary>
public sealed class CachingOptions
{
    public const string Section = "Caching";

    /// <summary>MiB. Default 64, 1 to 65,536.</summary>
    [Description("most memory that the first level (L1) takes, in MiB, keys and overhead included, about")]
    [Range(1, 65_536, ErrorMessage = "MiB, 1 to 65536")]
    public int L1CacheSizeMiB { get; set; } = 64;

    /// <summary>Seconds. Default 300, 1 to 86,400.</summary>
    [Description("how long a value is kept in memory at most, in seconds")]
    [Range(1, 86_400, ErrorMessage = "seconds, 1 to 86400")]
    public int L1TtlSeconds { get; set; } = 300;

    /// <summary>Seconds. Default 3,600, 1 to 31,536,000.</summary>
    [Description("how long a value is kept in Redis (L2) at most, in seconds")]
    [Range(1, 31_536_000, ErrorMessage = "seconds, 1 to 31536000")]
    public int L2TtlSeconds { get; set; } = 3_600;

    /// <summary>Seconds. Default 86,400, 1 to 31,536,000.</summary>
    [Description("how long a value is kept in the database (L3) at most, in seconds")]
    [Range(1, 31_536_000, ErrorMessage = "seconds, 1 to 31536000")]
    public int L3TtlSeconds { get; set; } = 86_400;

    /// <summary>MiB. Default 256, 0 (off) to 1,048,576.</summary>
    [Description("most disk that the third level takes, in MiB, about: over it what expires first goes; 0 turns the level off")]
    [Range(0, 1_048_576, ErrorMessage = "MiB, 0 to 1048576; 0 turns it off")]
    public int L3CacheSizeMiB { get; set; } = 256;

    /// <summary>Seconds. Default 5, 1 to 3,600.</summary>
    [Description("how long it is remembered that something does not exist, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int NegativeTtlSeconds { get; set; } = 5;

    /// <summary>Bytes. Default 1,024, 0 (never) to 1 GiB.</summary>
    [Description("values over this size are compressed (gzip) in Redis and the database, in bytes; 0 turns it off")]
    [Range(0, 1024 * 1024 * 1024, ErrorMessage = "bytes, 0 to 1073741824; 0 turns it off")]
    public int CompressionThresholdBytes { get; set; } = 1_024;

    /// <summary>Milliseconds. Default 50, 1 to 10,000.</summary>
    [Description("how long a request waits for Redis, in milliseconds: then it goes on without, and after three in a row nobody asks Redis until it answers again")]
    [Range(1, 10_000, ErrorMessage = "milliseconds, 1 to 10000")]
    public int RedisTimeoutMs { get; set; } = 50;

    /// <summary>Default false.</summary>
    [Description("`true` loads ahead of time what is mostly asked for next, as learnt from what was asked for before")]
    public bool PrefetchEnabled { get; set; }

    /// <summary>Percent. Default 60, 1 to 100.</summary>
    [Description("in how many of a hundred times something must have been asked for next to be loaded ahead of time")]
    [Range(1, 100, ErrorMessage = "percent, 1 to 100")]
    public int PrefetchConfidencePercent { get; set; } = 60;

    /// <summary>Percent. Default 50, 0 to 100.</summary>
    [Description("share of `Storage__MaxConcurrentQueries` that may be in use for anything to be loaded ahead of time, in percent")]
    [Range(0, 100, ErrorMessage = "percent, 0 to 100")]
    public int PrefetchLoadPercent { get; set; } = 50;

    /// <summary>Default iot.</summary>
    [Description("what every key in Redis begins with; installations that share a Redis and not their database need different ones")]
    [RegularExpression("[A-Za-z0-9_.-]{1,64}", ErrorMessage = "1 to 64 of A-Z a-z 0-9 _ . -")]
    public string RedisPrefix { get; set; } = "iot";
}
