using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Gateway.Http;

/// <summary>A parsed body on its way in. Answers when everything admitted is on disk.</summary>
internal sealed record IngestReadings(ParsedBatch Batch, Sender Sender) : IRequest<Outcome<IngestResult>>, ILimited
{
    public static RequestGate Gate => RequestGate.Ingest;

    public RequestPriority Priority => Batch.HasHighPriority ? RequestPriority.High : RequestPriority.Normal;
}

/// <param name="Accepted">Readings on disk, and so soon in PostgreSQL.</param>
/// <param name="Duplicates">Readings known to be on disk before.</param>
/// <param name="Rejected">Readings not taken, by index.</param>
/// <param name="Denial">Why, when it was for who sent them.</param>
internal sealed record IngestResult(int Accepted, int Duplicates, IReadOnlyList<RejectedReading> Rejected, Denial Denial);

internal sealed class IngestReadingsHandler(Admission admission, Intake intake, Ledger ledger, IngestMetrics metrics)
    : IRequestHandler<IngestReadings, Outcome<IngestResult>>
{
    public async Task<Outcome<IngestResult>> Handle(IngestReadings request, CancellationToken cancellationToken)
    {
        metrics.Received("http", request.Batch.Count);
        var admitted = admission.Admit(request.Batch, request.Sender, topicDevice: null);
        var duplicates = 0;
        if (admitted.Readings.Count > 0)
        {
            if (intake.TryAppend(admitted.Readings) is not { } taken)
            {
                admission.Withdraw(admitted);
                return new Failure(FailureKind.Busy, "The ingest log is full; send these readings again later.");
            }
            try
            {
                // Not cancelled with the request: what is in the log is stored, whether or not anyone waits for the answer.
                await taken.Committed;
            }
            catch (IngestLogFailedException)
            {
                return new Failure(FailureKind.Unavailable, "The readings could not be written to disk and are not acknowledged.");
            }
            duplicates = taken.Duplicates;
        }
        metrics.Rejected("http", admitted.Rejected.Count);
        metrics.Throttled("http", admitted.OverRate);
        // Without a list: all of it may be sent again as it is, and a flood is not to be answered at length.
        if (admitted.Readings.Count == 0 && admitted.Denial == Denial.OverRate)
            return new Failure(FailureKind.RateLimited, $"No reading was taken. {admitted.WaitReason}.") { RetryAfter = admitted.Wait };
        // What is over its rate is to be sent again, and counts then.
        ledger.Rejected(request.Sender.Device?.Id ?? Ledger.Others, admitted.Rejected.Count - admitted.OverRate);
        return new IngestResult(admitted.Readings.Count - duplicates, duplicates, admitted.Rejected, admitted.Denial);
    }
}
