using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Semantics.Documents;
using IoT.Modules.Semantics.Engine;
using IoT.Modules.Semantics.Live;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>Makes a knowledge out of the documents that hold, with the settings' limits.</summary>
internal sealed class KnowledgeFactory(SemanticsOptions options, LatestValues latest, Metrics metrics, RefusedDocuments refused)
{
    /// <exception cref="EngineRefusedException">A document can't be read, or they don't go together.</exception>
    public Knowledge Make(IReadOnlyList<StoredDocument> documents, CancellationToken cancellationToken)
    {
        var knowledge = new Knowledge(OptionsOf(options), latest, metrics);
        var parsed = new List<ParsedDocument>(documents.Count);
        foreach (var document in documents)
        {
            var read = ParsedDocument.Parse(knowledge.Terms, document.Kind, document.Name, document.Content, cancellationToken);
            if (read.Failure is { } failure)
            {
                refused.Add(document.Kind, document.Name, "", failure.Detail);
                throw new EngineRefusedException($"{(document.Kind == DocumentKind.Model ? "Model" : "Rules")} {document.Name}, version {document.Version}: {failure.Detail}");
            }
            parsed.Add(read.Value);
        }
        knowledge.Load(parsed);
        return knowledge;
    }

    private static EngineOptions OptionsOf(SemanticsOptions options) => new()
    {
        CompileRules = options.RuleCompilationEnabled,
        Incremental = options.IncrementalReasoning,
        ParallelThreshold = options.ParallelInferenceThreshold,
        Threads = Environment.ProcessorCount,
        MemoryLimitBytes = options.MemoryLimitMb * 1024L * 1024,
        DerivationLimit = options.DerivationLimit,
        Product = options.ConfidenceByProduct,
    };
}
