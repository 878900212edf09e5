using IoT.Modules.Semantics.Naming;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Contracts;

/// <summary>What follows about entities, now or as of a time in the past. The body of <c>POST /infer</c>.</summary>
/// <param name="QueryType"><c>semantic_inference</c>.</param>
/// <param name="Entities">What is asked about; empty or null: everything at the context's location.</param>
/// <param name="Context">Null: everywhere, now.</param>
public sealed record Infer(string? QueryType, IReadOnlyList<InferEntity>? Entities, InferContext? Context) : IRequest<Outcome<InferAnswer>>, IValidated, ISeesAcknowledged
{
    public const string SemanticInference = "semantic_inference";
    public const int MaxEntities = 10_000;

    public IEnumerable<FieldError> Validate()
    {
        if (QueryType != SemanticInference)
            yield return new("query_type", SemanticInference);
        if (Entities is { Count: > MaxEntities })
            yield return new("entities", $"at most {MaxEntities}");
        if (Entities is not { Count: > 0 } && string.IsNullOrEmpty(Context?.Location))
            yield return new("entities", "at least one {\"type\",\"id\"}, or a context with a location");
        foreach (var (entity, i) in (Entities ?? []).Take(MaxEntities).Select((entity, i) => (entity, i)))
        {
            if (string.IsNullOrEmpty(entity?.Id))
                yield return new($"entities[{i}].id", "a text is expected");
            else if (string.IsNullOrEmpty(entity.Type) && !Names.IsAbsolute(entity.Id))
                yield return new($"entities[{i}].type", "a text is expected, unless the id is an absolute IRI");
        }
        if (Context?.TimeRange is { } range)
        {
            if (range.Start is null)
                yield return new("context.time_range.start", "a time is expected");
            if (range.End is null)
                yield return new("context.time_range.end", "a time is expected");
            if (range.Start >= range.End)
                yield return new("context.time_range", "start must be before end");
        }
    }
}

/// <param name="Type">As in the entity's name, case ignored: <c>Sensor</c> and s1 is <c>urn:iot:sensor:s1</c>.</param>
public sealed record InferEntity(string? Type, string? Id);

/// <param name="Location">Only what is there, or in something that is there.</param>
/// <param name="TimeRange">With it, the readings are those of that time.</param>
public sealed record InferContext(string? Location, InferTimeRange? TimeRange);

/// <param name="Start">Included.</param>
/// <param name="End">Not included.</param>
public sealed record InferTimeRange(DateTimeOffset? Start, DateTimeOffset? End);

/// <summary>An answer.</summary>
/// <param name="Inferences">A JSON array, UTF-8.</param>
/// <param name="Count">How many.</param>
/// <param name="ConfidenceScore">The mean of their confidences; 0 when there is none.</param>
/// <param name="ProcessingTime">What this answer took.</param>
/// <param name="IsCached">It was there already, and nothing that it was made of has changed.</param>
public sealed record InferAnswer(ReadOnlyMemory<byte> Inferences, int Count, double ConfidenceScore, TimeSpan ProcessingTime, bool IsCached);
