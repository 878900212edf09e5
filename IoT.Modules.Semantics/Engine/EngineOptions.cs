namespace IoT.Modules.Semantics.Engine;

internal sealed record EngineOptions
{
    /// <summary>Rules become machine code; otherwise they are interpreted, with the same result.</summary>
    public bool CompileRules { get; init; } = true;

    /// <summary>A plan becomes machine code when its interpretation has looked at so many facts.</summary>
    public int CompileAfter { get; init; } = 2_000;

    /// <summary>Changes are followed; otherwise everything is derived anew, with the same result.</summary>
    public bool Incremental { get; init; } = true;

    /// <summary>A step that is likely to look at so many facts is shared among threads, and so is entering, asserting or reporting so many.</summary>
    public int ParallelThreshold { get; init; } = 10_000;

    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Documents that would take more are refused.</summary>
    public long MemoryLimitBytes { get; init; } = long.MaxValue;

    /// <summary>Most derived facts.</summary>
    public int DerivationLimit { get; init; } = 10_000_000;

    /// <summary>Most candidates that one change may look at: what ends a join that yields little and takes for ever.</summary>
    public long StepLimit { get; init; } = 2_000_000_000;

    /// <summary>Degrees are multiplied; otherwise the least counts.</summary>
    public bool Product { get; init; }
}

internal enum EngineErrorKind
{
    /// <summary>A rule negates or collects what depends on it.</summary>
    NotStratified,

    /// <summary>More facts would be derived than the limit allows.</summary>
    DerivationLimit,

    /// <summary>A change takes more work than the limit allows.</summary>
    StepLimit,

    MemoryLimit,
}

/// <summary>Why a change doesn't hold.</summary>
internal sealed record EngineError(EngineErrorKind Kind, string Message, int? Line = null, int? Column = null)
{
    /// <summary>The document with the line; null when it isn't about a rule.</summary>
    public string? Document { get; init; }
}

/// <summary>How evaluation deep in a join gets out; caught where the change began.</summary>
internal sealed class EngineException(EngineError error) : Exception(error.Message)
{
    public EngineError Error { get; } = error;
}
