using System.Diagnostics.Metrics;
using IoT.Modules.Semantics.Conversion;
using IoT.Modules.Semantics.Infer;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Reasoning;

namespace IoT.Modules.Semantics;

/// <summary>The engine and what surrounds it, in figures.</summary>
internal sealed class SemanticsMetrics
{
    public const string Name = "IoT.Semantics";

    public SemanticsMetrics(IMeterFactory meters, SemanticEngine engine, LatestValues latest, InferenceOutbox outbox, InferCache cache, Converter converter, TimeProvider time)
    {
        var meter = meters.Create(Name);
        meter.CreateObservableGauge("iot.semantics.facts.asserted", () => engine.Knowledge?.Asserted ?? 0, "{fact}", "Facts that are asserted");
        meter.CreateObservableGauge("iot.semantics.facts.derived", () => engine.Knowledge?.Derived ?? 0, "{fact}", "Facts that are derived and not asserted");
        meter.CreateObservableGauge("iot.semantics.memory", () => engine.Knowledge?.Bytes ?? 0, "By", "Memory that facts take, about");
        meter.CreateObservableGauge("iot.semantics.rules", () => engine.Knowledge?.Rules ?? 0, "{rule}", "Rules that are loaded");
        meter.CreateObservableGauge("iot.semantics.latest_values", () => latest.Count, "{value}", "Latest values known, by device and member");
        meter.CreateObservableGauge("iot.semantics.pending", () => latest.Pending, "{value}", "Values and devices that wait to become facts");
        meter.CreateObservableGauge("iot.semantics.lag", () => latest.PendingSince is var since and > 0 ? time.GetElapsedTime(since).TotalSeconds : 0, "s", "How long the oldest of them has waited");
        meter.CreateObservableCounter("iot.semantics.left_out", () => latest.LeftOut, "{value}", "Values that found no room among the latest ones");
        meter.CreateObservableCounter("iot.semantics.values.received", () => latest.Received, "{value}", "Values that came with readings");
        meter.CreateObservableCounter("iot.semantics.values.converted", () => latest.Converted, "{value}", "Those of them that a profile maps to property and unit");
        meter.CreateObservableGauge("iot.semantics.conversion_rate", () => converter.Rate, "1", "Values converted of values received");
        meter.CreateObservableCounter("iot.semantics.inferences.raised", () => outbox.Raised, "{inference}", "Inferences raised");
        meter.CreateObservableCounter("iot.semantics.inferences.cleared", () => outbox.Cleared, "{inference}", "Inferences cleared");
        meter.CreateObservableGauge("iot.semantics.inferences.waiting", () => outbox.Waiting, "{inference}", "Inferences that wait to be written to the database");
        meter.CreateObservableGauge("iot.semantics.cache.entries", () => cache.Count, "{answer}", "Answers of POST /infer that are kept");
        meter.CreateObservableCounter("iot.semantics.cache.hits", () => cache.Hits, "{answer}", "Answers that were there already");
        meter.CreateObservableCounter("iot.semantics.cache.misses", () => cache.Misses, "{answer}", "Answers that were made");
    }
}
