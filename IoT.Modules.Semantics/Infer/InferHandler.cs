using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Semantics.Reasoning;
using IoT.Modules.Semantics.Terms;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Infer;

internal sealed class InferHandler(SemanticEngine engine, InferCache cache, RangeReadings readings, TimeProvider time) : IRequestHandler<Contracts.Infer, Outcome<InferAnswer>>
{
    private const int MostInferences = 10_000;

    /// <summary>An answer in the making.</summary>
    private sealed record Made(KeptAnswer? Answer, bool IsCached);

    public async Task<Outcome<InferAnswer>> Handle(Contracts.Infer request, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var key = InferCache.KeyOf(AskedBy(request));
        var range = request.Context?.TimeRange is { } span ? (From: span.Start!.Value.UtcDateTime, To: span.End!.Value.UtcDateTime) : ((DateTime From, DateTime To)?)null;
        var made = await engine.InTurnAsync<Made>(
            knowledge =>
            {
                if (cache.Find(key, engine.Versions.IsCurrent) is { } kept)
                    return new Made(kept, true);
                if (range is not null)
                    return new Made(null, false);
                var answer = AnswerOf(request, knowledge, knowledge.LiveReadingOf, null);
                return answer.Failure is { } failure ? failure : new Made(answer.Value, false);
            }, cancellationToken);
        if (made.Failure is null && made.Value.Answer is null)
            made = await OverAsync(request, range!.Value.From, range.Value.To, cancellationToken);
        if (made.Failure is { } wrong)
            return wrong;
        var (found, isCached) = made.Value;
        if (!isCached)
            await cache.KeepAsync(key, found!, cancellationToken);
        return new InferAnswer(found!.Inferences, found.Count, found.ConfidenceScore, time.GetElapsedTime(started), isCached);
    }

    /// <summary>The readings of a time in the place of the latest ones.</summary>
    private async Task<Outcome<Made>> OverAsync(Contracts.Infer request, DateTime from, DateTime to, CancellationToken cancellationToken)
    {
        // A reading that comes while these are read makes the answer one of before it.
        var sources = await engine.InTurnAsync<AnswerSources>(_ => engine.Versions.Of([], isPlaced: true, (from.Ticks, to.Ticks)), cancellationToken);
        if (sources.Failure is { } failure)
            return failure;
        var values = await readings.ReadAsync(from, to, cancellationToken);
        if (values.Failure is { } tooMany)
            return tooMany;
        return await engine.InTurnAsync<Made>(
            knowledge =>
            {
                using var batch = BatchOf(knowledge, values.Value);
                var answer = knowledge.Base.Overlay(
                    batch, _ => AnswerOf(request, knowledge, fact => ReadingOf(values.Value, knowledge, fact), sources.Value), out var error, cancellationToken);
                if (error is not null)
                    return Knowledge.FailureOf(error);
                return answer!.Failure is { } wrong ? wrong : new Made(answer.Value, false);
            }, cancellationToken);
    }

    private static FactBatch BatchOf(Knowledge knowledge, Dictionary<(string DeviceIri, Metric Metric), RangeValue> values)
    {
        var batch = new FactBatch(knowledge.Base);
        batch.TakeAllReplaced();
        foreach (var ((iri, metric), value) in values)
        {
            var subject = knowledge.Terms.InternIri(iri);
            batch.Replace(subject, knowledge.TermOf(metric), knowledge.TermOf(value.Latest), value.ReadingId);
            Add(Names.Count, LiveValue.Of(value.Count));
            Add(Names.Average, value.Average);
            Add(Names.Minimum, value.Least);
            Add(Names.Maximum, value.Greatest);

            void Add(string prefix, LiveValue? summary)
            {
                if (summary is { } number)
                    batch.Replace(subject, knowledge.Terms.InternIri(prefix + metric.Path), knowledge.TermOf(number));
            }
        }
        return batch;
    }

    private static ReadingSource? ReadingOf(Dictionary<(string DeviceIri, Metric Metric), RangeValue> values, Knowledge knowledge, Explanation fact) =>
        knowledge.MetricOf(fact.Fact.Predicate.Value) is { } metric && values.TryGetValue((fact.Fact.Subject.Value, metric), out var value)
            ? new ReadingSource(value.ReadingId, value.Ticks)
            : null;

    private Outcome<KeptAnswer> AnswerOf(Contracts.Infer request, Knowledge knowledge, Func<Explanation, ReadingSource?> readingOf, AnswerSources? sources)
    {
        var scope = new InferScope(knowledge).Of(request);
        var read = new HashSet<string>(scope.Select(s => s.Name), StringComparer.Ordinal);
        var facts = new List<(string Name, DerivedFact Fact, TripleId Id)>();
        foreach (var (name, id) in scope.Where(s => !s.Id.IsNone))
        {
            using var rows = knowledge.Base.Query(id, kind: FactKind.Derived);
            if (facts.Count + rows.Count > MostInferences)
                return new Failure(FailureKind.TooLarge, $"More than {MostInferences} inferences: ask about fewer entities or a smaller location.");
            for (var i = 0; i < rows.Count; i++)
                facts.Add((name, knowledge.FactOf(rows[i].Fact, rows[i].Degree, rows[i].Rule), rows[i].Fact));
        }
        var buffer = new ArrayBufferWriter<byte>();
        var (sum, count) = (0.0, 0);
        using (var json = new Utf8JsonWriter(buffer, InferenceJson.Options))
        {
            json.WriteStartArray();
            foreach (var (name, fact, id) in facts.OrderBy(f => f.Name, StringComparer.Ordinal).ThenBy(f => f.Fact.Key.Predicate, StringComparer.Ordinal).ThenBy(f => f.Fact.Key.Object, StringComparer.Ordinal))
            {
                if (knowledge.Explain(id, readingOf) is not { } explained)
                    continue;
                json.WriteStartObject();
                json.WriteString("subject"u8, name);
                json.WriteString("predicate"u8, fact.Key.Predicate);
                InferenceJson.WriteTerm(json, "object", knowledge.Terms[id.Object]);
                json.WriteNumber("confidence"u8, explained.Confidence);
                json.WriteString("rule"u8, explained.Rule);
                json.WritePropertyName("because"u8);
                json.WriteRawValue(explained.Because, skipInputValidation: true);
                json.WriteEndObject();
                read.UnionWith(explained.Read);
                (sum, count) = (sum + explained.Confidence, count + 1);
            }
            json.WriteEndArray();
        }
        // Over a time, nothing of now is in it but the model.
        return new KeptAnswer(buffer.WrittenMemory, count, count == 0 ? 0 : sum / count, sources ?? engine.Versions.Of(read, !string.IsNullOrEmpty(request.Context?.Location)));
    }

    private static string AskedBy(Contracts.Infer request)
    {
        var key = new StringBuilder();
        foreach (var entity in request.Entities ?? [])
            key.Append(Names.Entity(entity.Type ?? "", entity.Id!)).Append('\n');
        var range = request.Context?.TimeRange;
        return key.Append(CultureInfo.InvariantCulture, $"@{request.Context?.Location}\n{range?.Start?.UtcTicks}-{range?.End?.UtcTicks}").ToString();
    }
}
