using System.Buffers.Text;
using System.Globalization;
using System.Text;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Contracts;

/// <summary>Something inferred, now or once.</summary>
/// <param name="Subject">IRI, or <c>_:</c> and a label.</param>
/// <param name="Predicate">IRI.</param>
/// <param name="Value">The object, as in N-Triples: <c>&lt;iri&gt;</c>, <c>"text"</c>, <c>"23.5"^^&lt;datatype&gt;</c>.</param>
/// <param name="Rule">The rule that its explanation ends with.</param>
/// <param name="Confidence">0 to 1, a degree: the weakest of its premises and rules, of its best derivation.</param>
/// <param name="RaisedAt">UTC.</param>
/// <param name="ClearedAt">UTC; null while it holds.</param>
/// <param name="Because">The explanation, a JSON array of derivations as README describes them; null when it is no longer known.</param>
public sealed record Inference(
    Guid Id, string Subject, string Predicate, string Value, string Rule, double Confidence, DateTime RaisedAt, DateTime? ClearedAt, string? Because);

/// <summary>News: an inference was raised, or cleared when it has <see cref="Inference.ClearedAt"/>. At least once each.</summary>
/// <param name="EntityType">Of the subject, as a level of a topic: <c>device</c> of <c>urn:iot:device:x</c>; <c>iri</c> for names of others.</param>
/// <param name="EntityId">The rest of the subject's IRI, as a level of a topic.</param>
/// <param name="Json">The inference as the API shows it, UTF-8.</param>
public sealed record InferenceChanged(Inference Inference, string EntityType, string EntityId, ReadOnlyMemory<byte> Json) : INotification
{
    /// <summary>The MQTT topic that it belongs on.</summary>
    public string Topic => $"inferences/{EntityType}/{EntityId}";
}

/// <summary>Inferences, the newest first; of those that hold the explanation is that of now.</summary>
/// <param name="Subject">IRI, or a device's id; null: all.</param>
/// <param name="Active">True: those that hold; false: those that don't; null: both.</param>
/// <param name="Limit">1 to 1,000; default 100.</param>
public sealed record ListInferences(string? Subject = null, string? Rule = null, bool? Active = null, int? Limit = null, string? Cursor = null)
    : IRequest<Outcome<Page<Inference>>>, IValidated, ILimited, ISeesAcknowledged
{
    public const int MaxLimit = 1_000;

    public static RequestGate Gate => RequestGate.Query;

    public IEnumerable<FieldError> Validate()
    {
        if (Limit is < 1 or > MaxLimit)
            yield return new("limit", $"1 to {MaxLimit}");
        if (Cursor is not null && !InferenceCursor.TryParse(Cursor, out _))
            yield return new("cursor", "not a cursor of this list");
        foreach (var (field, value) in new[] { ("subject", Subject), ("rule", Rule) })
        {
            if (value?.Contains('\0', StringComparison.Ordinal) == true)
                yield return new(field, "must not hold NUL");
        }
    }
}

/// <summary>A place in the list of inferences.</summary>
internal readonly record struct InferenceCursor(DateTime RaisedAt, Guid Id)
{
    public override string ToString() => Base64Url.EncodeToString(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{RaisedAt.Ticks}.{Id:N}")));

    public static bool TryParse(string text, out InferenceCursor cursor)
    {
        cursor = default;
        if (text.Length > 128 || !Base64Url.IsValid(text))
            return false;
        var parts = Encoding.ASCII.GetString(Base64Url.DecodeFromChars(text)).Split('.');
        if (parts.Length != 2 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) || ticks > DateTime.MaxValue.Ticks
            || !Guid.TryParseExact(parts[1], "N", out var id))
            return false;
        cursor = new InferenceCursor(new DateTime(ticks, DateTimeKind.Utc), id);
        return true;
    }
}
