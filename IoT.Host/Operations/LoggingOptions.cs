using System.ComponentModel;
using Serilog.Events;

namespace IoT.Host.Operations;

/// <summary>What is logged to the console, and how. Section <c>Logging</c>.</summary>
public sealed class LoggingOptions
{
    public const string Section = "Logging";

    /// <summary>Default auto: text, or JSON in a container.</summary>
    [Description("`text` for a terminal, `json` (one object a line) for a collector; `auto` is JSON in a container")]
    public LogFormat Format { get; set; } = LogFormat.Auto;

    /// <summary>Default information.</summary>
    [Description("the least that is logged: `verbose`, `debug`, `information`, `warning`, `error`")]
    public LogEventLevel Level { get; set; } = LogEventLevel.Information;
}

public enum LogFormat
{
    Auto,
    Text,
    Json,
}
