using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Gateway;

/// <summary>Protocols and ingest. Section <c>Gateway</c>.</summary>
public sealed class GatewayOptions
{
    public const string Section = "Gateway";

    /// <summary>Bytes. Default 1 MiB, 1 KiB to 16 MiB: what PostgreSQL's jsonb can give back.</summary>
    [Description("largest HTTP body that holds a single reading, in bytes, after decompression")]
    [Range(1024, 16 * 1024 * 1024, ErrorMessage = "bytes, 1024 to 16777216")]
    public int MaxReadingBytes { get; set; } = 1024 * 1024;

    /// <summary>Bytes. Default 16 MiB, 1 KiB to 64 MiB.</summary>
    [Description("largest HTTP body that holds an array or NDJSON, in bytes, after decompression")]
    [Range(1024, 64 * 1024 * 1024, ErrorMessage = "bytes, 1024 to 67108864")]
    public int MaxBatchBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Readings. Default 10,000, 1 to 1,000,000.</summary>
    [Description("most readings in one JSON array, over HTTP and MQTT")]
    [Range(1, 1_000_000, ErrorMessage = "readings, 1 to 1000000")]
    public int MaxBatchReadings { get; set; } = 10_000;

    /// <summary>Readings in one write to PostgreSQL. Default 40,000, 1 to 100,000.</summary>
    [Description("most readings in one write to PostgreSQL")]
    [Range(1, 100_000, ErrorMessage = "readings, 1 to 100000")]
    public int WriteBatchReadings { get; set; } = 40_000;

    /// <summary>Writers into PostgreSQL. Default 2, 1 to 16.</summary>
    [Description("writers that bring readings from the ingest log into PostgreSQL, each with its share of the devices; a change takes effect at a start that finds the log empty")]
    [Range(1, 16, ErrorMessage = "writers, 1 to 16")]
    public int DrainLanes { get; set; } = 2;

    /// <summary>Seconds. Default 60, 1 to 86,400.</summary>
    [Description("how often a writer that has stopped, because PostgreSQL refuses for a reason that does not pass by itself, looks whether that was mended, in seconds; a restart looks too")]
    [Range(1, 86_400, ErrorMessage = "seconds, 1 to 86400")]
    public int StoppedLaneProbeSeconds { get; set; } = 60;

    /// <summary>MiB. Default 4,096 (4 GiB), 256 to 1,048,576 (1 TiB).</summary>
    [Description("most disk that the ingest log takes, in MiB: how much is taken in while PostgreSQL is away; full, HTTP answers 503 and MQTT connections are read no further")]
    [Range(256, 1_048_576, ErrorMessage = "MiB, 256 to 1048576")]
    public int IngestLogMiB { get; set; } = 4_096;

    /// <summary>Readings a second. Default 500, 1 to 1,000,000,000 (as good as none).</summary>
    [Description("readings a second that one device may send in the long run; over it HTTP answers 429 and an MQTT connection is read more slowly")]
    [Range(1, 1_000_000_000, ErrorMessage = "readings a second, 1 to 1000000000")]
    public int DeviceReadingsPerSecond { get; set; } = 500;

    /// <summary>Readings. Default 5,000, 1 to 1,000,000,000.</summary>
    [Description("readings that a device which has been quiet may send at once, on top of its rate; a request that begins within it is taken whole, and what it takes beyond has to be made up for before the next")]
    [Range(1, 1_000_000_000, ErrorMessage = "readings, 1 to 1000000000")]
    public int DeviceBurst { get; set; } = 5_000;

    /// <summary>Devices a minute. Default 1,000, 1 to 1,000,000.</summary>
    [Description("devices a minute that strangers may bring in by their first reading (`Security__AnonymousDevices`), in the long run; ten times as many at once. Over it HTTP answers 429 and an MQTT connection is read more slowly; admins are not limited")]
    [Range(1, 1_000_000, ErrorMessage = "devices a minute, 1 to 1000000")]
    public int MaxNewDevicesPerMinute { get; set; } = 1_000;

    /// <summary>Connections. Default 20,000, 1 to 1,000,000.</summary>
    [Description("most MQTT connections at once; one more is closed before it has signed in")]
    [Range(1, 1_000_000, ErrorMessage = "connections, 1 to 1000000")]
    public int MaxMqttConnections { get; set; } = 20_000;

    /// <summary>Connections. Default 15,000, 1 to 1,000,000.</summary>
    [Description("most MQTT connections at once from one address")]
    [Range(1, 1_000_000, ErrorMessage = "connections, 1 to 1000000")]
    public int MqttMaxConnectionsPerAddress { get; set; } = 15_000;

    /// <summary>Connections a second. Default 20,000, 1 to 1,000,000.</summary>
    [Description("most new MQTT connections a second; more wait for their turn")]
    [Range(1, 1_000_000, ErrorMessage = "connections a second, 1 to 1000000")]
    public int MqttHandshakesPerSecond { get; set; } = 20_000;

    /// <summary>Connections. Default 5,000, 1 to 1,000,000.</summary>
    [Description("most HTTP connections at once, the page's and the API's; one more is answered 503 and closed")]
    [Range(1, 1_000_000, ErrorMessage = "connections, 1 to 1000000")]
    public int MaxHttpConnections { get; set; } = 5_000;

    /// <summary>Requests. Default 256, 1 to 100,000.</summary>
    [Description("most HTTP requests that bring readings in at once; four times as many may wait, more are answered 503")]
    [Range(1, 100_000, ErrorMessage = "requests, 1 to 100000")]
    public int MaxConcurrentRequests { get; set; } = 256;

    /// <summary>Requests. Default 100, 1 to 1,000,000.</summary>
    [Description("most requests with readings of `priority` `high` that pass a waiting one without in a row; then one of those is let in, so that none waits for ever")]
    [Range(1, 1_000_000, ErrorMessage = "requests, 1 to 1000000")]
    public int HighPriorityAhead { get; set; } = 100;

    /// <summary>Seconds. Default 130, 1 to 3,600.</summary>
    [Description("how long an HTTP connection without a request is kept open, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int HttpKeepAliveSeconds { get; set; } = 130;

    /// <summary>Bytes. Default 1,024, 0 (off) to 1 GiB.</summary>
    [Description("HTTP answers over this size are compressed for clients that accept gzip, in bytes; 0 turns it off. Never the page's, never event streams")]
    [Range(0, 1024 * 1024 * 1024, ErrorMessage = "bytes, 0 to 1073741824; 0 turns it off")]
    public int CompressHttpAboveBytes { get; set; } = 1024;

    /// <summary>Bytes. Default 0 (off), 0 to 16 MiB.</summary>
    [Description("payloads over this size are compressed in the ingest log, in bytes, where that makes them smaller, so that it lasts longer while PostgreSQL is away; it costs time before each acknowledgement; 0 turns it off")]
    [Range(0, 16 * 1024 * 1024, ErrorMessage = "bytes, 0 to 16777216; 0 turns it off")]
    public int CompressLogAboveBytes { get; set; }

    /// <summary>Bytes. Default 1 MiB, 1 KiB to 64 MiB.</summary>
    [Description("largest MQTT packet, in bytes")]
    [Range(1024, 64 * 1024 * 1024, ErrorMessage = "bytes, 1024 to 67108864")]
    public int MqttMaxPacketBytes { get; set; } = 1024 * 1024;

    /// <summary>Bytes. Default 64 KiB, 1 KiB to 1 MiB.</summary>
    [Description("largest first packet of an MQTT connection, CONNECT with its will, in bytes")]
    [Range(1024, 1024 * 1024, ErrorMessage = "bytes, 1024 to 1048576")]
    public int MqttMaxPacketBytesBeforeConnect { get; set; } = 64 * 1024;

    /// <summary>Seconds. Default 5, 1 to 300.</summary>
    [Description("how long an MQTT connection may take to sign in, in seconds")]
    [Range(1, 300, ErrorMessage = "seconds, 1 to 300")]
    public int MqttConnectSeconds { get; set; } = 5;

    /// <summary>Seconds. Default 30, 1 to 3,600.</summary>
    [Description("how long an MQTT client may read nothing of what waits for it before its connection is ended, in seconds")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int MqttWriteSeconds { get; set; } = 30;

    /// <summary>Seconds. Default 65,535, 1 to 65,535.</summary>
    [Description("longest keep-alive, in seconds: MQTT 5 clients that ask for a longer one are told this; below 65535 also those that ask for none")]
    [Range(1, 65_535, ErrorMessage = "seconds, 1 to 65535")]
    public int MqttMaxKeepAliveSeconds { get; set; } = 65_535;

    /// <summary>Publishes. Default 1,000, 1 to 65,535.</summary>
    [Description("most publishes of one MQTT connection that wait for their acknowledgement, in each direction; over it the connection is read no further, or sent no more")]
    [Range(1, 65_535, ErrorMessage = "publishes, 1 to 65535")]
    public int MqttMaxInFlight { get; set; } = 1_000;

    /// <summary>MiB. Default 2,048 (2 GiB), 16 to 1,048,576 (1 TiB).</summary>
    [Description("most disk that MQTT sessions, what waits for them and retained messages take, in MiB; full, they are kept in the ingest log, up to half of it, and an alarm says so")]
    [Range(16, 1_048_576, ErrorMessage = "MiB, 16 to 1048576")]
    public int MqttStateMiB { get; set; } = 2_048;

    /// <summary>Sessions. Default 100,000, 1 to 10,000,000.</summary>
    [Description("most MQTT sessions, those of clients that are away included; one more is refused")]
    [Range(1, 10_000_000, ErrorMessage = "sessions, 1 to 10000000")]
    public int MqttMaxSessions { get; set; } = 100_000;

    /// <summary>Days. Default 90, 1 to 36,500.</summary>
    [Description("how long the session of an MQTT client that does not come back is kept, in days; a shorter expiry that the client asks for holds")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int MqttMaxSessionDays { get; set; } = 90;

    /// <summary>Subscriptions. Default 10,000, 1 to 1,000,000.</summary>
    [Description("most subscriptions of one MQTT session")]
    [Range(1, 1_000_000, ErrorMessage = "subscriptions, 1 to 1000000")]
    public int MqttMaxSubscriptions { get; set; } = 10_000;

    /// <summary>Messages. Default 10,000, 1 to 1,000,000.</summary>
    [Description("most messages that wait for one MQTT session. Over it those with QoS 0 go first, the oldest first; when there are none the older half of the backlog is cut, and an alarm says so")]
    [Range(1, 1_000_000, ErrorMessage = "messages, 1 to 1000000")]
    public int MqttMaxQueuedMessages { get; set; } = 10_000;

    /// <summary>KiB. Default 8,192 (8 MiB), 64 to 1,048,576 (1 GiB).</summary>
    [Description("most memory that they take, in KiB; likewise")]
    [Range(64, 1_048_576, ErrorMessage = "KiB, 64 to 1048576")]
    public int MqttMaxQueuedKiB { get; set; } = 8_192;

    /// <summary>Messages. Default 100,000, 1 to 10,000,000.</summary>
    [Description("most retained MQTT messages; one more is delivered and not retained, and an alarm says so")]
    [Range(1, 10_000_000, ErrorMessage = "messages, 1 to 10000000")]
    public int MqttMaxRetained { get; set; } = 100_000;

    /// <summary>MiB. Default 64, 1 to 65,536.</summary>
    [Description("most memory that they take, in MiB")]
    [Range(1, 65_536, ErrorMessage = "MiB, 1 to 65536")]
    public int MqttMaxRetainedMiB { get; set; } = 64;

    /// <summary>Ids. Default 200,000, 1 to 10,000,000.</summary>
    [Description("newest message ids known in memory: duplicates of these are answered without being logged again; the others are found on their way into PostgreSQL")]
    [Range(1, 10_000_000, ErrorMessage = "ids, 1 to 10000000")]
    public int MessageCacheSize { get; set; } = 200_000;

    /// <summary>MiB. Default 64, 1 to 65,536.</summary>
    [Description("most memory that they take, in MiB")]
    [Range(1, 65_536, ErrorMessage = "MiB, 1 to 65536")]
    public int MessageCacheMiB { get; set; } = 64;

    /// <summary>Days. Default 1826 (five years), 1 to 36,500.</summary>
    [Description("oldest timestamp that is accepted, in days before now")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int MaxReadingAgeDays { get; set; } = 1_826;

    /// <summary>Hours. Default 24, 0 to 720.</summary>
    [Description("newest timestamp that is accepted, in hours after now")]
    [Range(0, 720, ErrorMessage = "hours, 0 to 720")]
    public int MaxReadingAheadHours { get; set; } = 24;

    /// <summary>Milliseconds. Default 1,000, 0 to 60,000.</summary>
    [Description("longest that a query waits, in milliseconds, for readings acknowledged before it to be in PostgreSQL")]
    [Range(0, 60_000, ErrorMessage = "milliseconds, 0 to 60000")]
    public int QueryPatienceMs { get; set; } = 1_000;

    /// <summary>As MQTT counts it.</summary>
    internal uint MqttMaxSessionExpirySeconds => (uint)MqttMaxSessionDays * 86_400;
}
