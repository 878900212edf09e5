namespace IoT.Modules.Gateway.IngestLog;

internal enum DamageKind
{
    /// <summary>Bytes of a segment are not what was written; the records in the range are lost.</summary>
    Records,

    /// <summary>Sequences that no segment holds: a file is missing.</summary>
    MissingSegment,

    /// <summary>The header of a segment; no record is lost by it alone. It is rewritten.</summary>
    Header,

    /// <summary>What a crash leaves of the last group, for which nothing proves that it was ever acknowledged. It is cleared away.</summary>
    Torn,
}

/// <param name="Kind">What happened.</param>
/// <param name="Segment">File name.</param>
/// <param name="FromOffset">First byte in the file that is of no use.</param>
/// <param name="ToOffset">The byte after them.</param>
/// <param name="FirstSequence">First sequence that is not there.</param>
/// <param name="LastSequence">Last one; of a torn tail, the last that can have been there. Less than the first when no record is lost.</param>
internal sealed record DamageReport(DamageKind Kind, string Segment, long FromOffset, long ToOffset, long FirstSequence, long LastSequence)
{
    /// <summary>Sequences, which may be more than there were records when a segment is missing behind a skip.</summary>
    public long Records => LastSequence - FirstSequence + 1;
}
