using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Semantics;

/// <summary>Model, rules and the engine. Section <c>Semantics</c>.</summary>
public sealed class SemanticsOptions
{
    public const string Section = "Semantics";

    /// <summary>Answers. Default 1,000, 0 to 1,000,000.</summary>
    [Description("answers of `POST /infer` that are kept and given again while nothing that they were made of has changed; 0 keeps none")]
    [Range(0, 1_000_000, ErrorMessage = "answers, 0 to 1000000")]
    public int CacheSize { get; set; } = 1_000;

    /// <summary>Facts. Default 10,000, 1 to 2,147,483,647.</summary>
    [Description("a step of reasoning over at least so many facts is spread over the processors")]
    [Range(1, int.MaxValue, ErrorMessage = "facts, 1 to 2147483647")]
    public int ParallelInferenceThreshold { get; set; } = 10_000;

    /// <summary>Default true.</summary>
    [Description("`false` interprets rules instead of compiling them: slower, with the same result")]
    public bool RuleCompilationEnabled { get; set; } = true;

    /// <summary>Default true.</summary>
    [Description("`false` reasons from scratch after every change: far slower, with the same result")]
    public bool IncrementalReasoning { get; set; } = true;

    /// <summary>MiB. Default 1,024, 16 to 1,048,576.</summary>
    [Description("most memory that facts take, in MiB: over it models and rules are refused; live readings go on")]
    [Range(16, 1_048_576, ErrorMessage = "MiB, 16 to 1048576")]
    public int MemoryLimitMb { get; set; } = 1_024;

    /// <summary>Facts. Default 10,000,000, 1,000 to 2,147,483,647.</summary>
    [Description("most facts that may be derived; a rule that never ends is refused with it")]
    [Range(1_000, int.MaxValue, ErrorMessage = "facts, 1000 to 2147483647")]
    public int DerivationLimit { get; set; } = 10_000_000;

    /// <summary>Default false.</summary>
    [Description("`true` multiplies the confidences of premises and rule; otherwise the least of them counts")]
    public bool ConfidenceByProduct { get; set; }

    /// <summary>MiB. Default 256, 1 to 1,024.</summary>
    [Description("largest model or set of rules, in MiB")]
    [Range(1, 1_024, ErrorMessage = "MiB, 1 to 1024")]
    public int MaxDocumentMiB { get; set; } = 256;

    /// <summary>Versions. Default 10, 1 to 1,000.</summary>
    [Description("versions of a model or a set of rules that are kept, the current one among them")]
    [Range(1, 1_000, ErrorMessage = "versions, 1 to 1000")]
    public int KeptVersions { get; set; } = 10;

    /// <summary>Values. Default 1,000,000, 1,000 to 100,000,000.</summary>
    [Description("most latest values, one for each device and member of its payloads, that are facts; what would be one more is left out and said")]
    [Range(1_000, 100_000_000, ErrorMessage = "values, 1000 to 100000000")]
    public int MaxLatestValues { get; set; } = 1_000_000;

    /// <summary>Seconds. Default 15, 1 to 3,600.</summary>
    [Description("how often latest values that have changed are written to the database, in seconds; a start reads the readings that came after")]
    [Range(1, 3_600, ErrorMessage = "seconds, 1 to 3600")]
    public int LatestValuesSeconds { get; set; } = 15;

    /// <summary>Days. Default 90, 1 to 36,500.</summary>
    [Description("how long past inferences are kept, in days")]
    [Range(1, 36_500, ErrorMessage = "days, 1 to 36500")]
    public int InferenceDays { get; set; } = 90;

    /// <summary>Inferences. Default 1,000,000, 100 to 100,000,000.</summary>
    [Description("most past inferences that are kept; over it the oldest go")]
    [Range(100, 100_000_000, ErrorMessage = "inferences, 100 to 100000000")]
    public int MaxPastInferences { get; set; } = 1_000_000;

    /// <summary>Readings. Default 1,000,000, 1,000 to 100,000,000.</summary>
    [Description("most readings in the `time_range` of `POST /infer`; more is refused")]
    [Range(1_000, 100_000_000, ErrorMessage = "readings, 1000 to 100000000")]
    public int MaxRangeReadings { get; set; } = 1_000_000;
}
