using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Gateway.Http;

/// <summary>A parsed body on its way in. Answers when everything admitted is committed.</summary>
internal sealed record IngestReadings(ParsedBatch Batch, Sender Sender) : IRequest<Outcome<IngestResult>>, ILimited
{
    public static RequestGate Gate => RequestGate.Ingest;
}

/// <param name="Accepted">Readings committed.</param>
/// <param name="Rejected">Readings not taken, by index.</param>
/// <param name="Denial">Why, when it was for who sent them.</param>
internal sealed record IngestResult(int Accepted, IReadOnlyList<RejectedReading> Rejected, Denial Denial);

internal sealed class IngestReadingsHandler(Admission admission, IngestQueue queue, GatewayOptions options, IngestMetrics metrics, TimeProvider time)
    : IRequestHandler<IngestReadings, Outcome<IngestResult>>
{
    // A batch larger than this is queued in parts, so that one request doesn't make one giant write.
    private const int PartSize = 10_000;

    public async Task<Outcome<IngestResult>> Handle(IngestReadings request, CancellationToken cancellationToken)
    {
        metrics.Received("http", request.Batch.Count);
        var admitted = admission.Admit(request.Batch, request.Sender, topicDevice: null);
        var parts = new List<(int Offset, Task<IReadOnlyList<string?>> Commit)>();
        for (var offset = 0; offset < admitted.Readings.Count; offset += PartSize)
        {
            var part = admitted.Readings.GetRange(offset, Math.Min(PartSize, admitted.Readings.Count - offset));
            if (queue.TryEnqueue(part) is not { } commit)
                return new Failure(FailureKind.Busy, "Too many readings wait for their commit; send these again later.");
            parts.Add((offset, commit));
        }
        try
        {
            await Task.WhenAll(parts.Select(p => p.Commit)).WaitAsync(TimeSpan.FromSeconds(options.CommitTimeoutSeconds), time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return new Failure(FailureKind.Unavailable, "The readings could not be stored in time and are not acknowledged; send them again later.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Failure(FailureKind.Unavailable, "The platform is stopping; the readings are not acknowledged; send them again later.");
        }

        foreach (var (offset, commit) in parts)
        {
            var refusals = await commit;
            for (var i = 0; i < refusals.Count; i++)
            {
                if (refusals[i] is { } refusal)
                    admitted.Rejected.Add(new RejectedReading(admitted.Indexes[offset + i], refusal));
            }
        }
        admitted.Rejected.Sort((a, b) => a.Index.CompareTo(b.Index));
        metrics.Rejected("http", admitted.Rejected.Count);
        return new IngestResult(request.Batch.Count - admitted.Rejected.Count, admitted.Rejected, admitted.Denial);
    }
}
