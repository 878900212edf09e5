using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Import;

/// <summary>
/// Chunks of a file into the ingest log, each on disk before the next is read. It goes only so far ahead of PostgreSQL that those who
/// send meanwhile are stored soon, and does not count for the devices' rates.
/// </summary>
internal sealed class ImportedChunks(
    ReadingParser parser, Admission admission, DeviceRates rates, Intake intake, Ledger ledger, IngestProgress progress, IngestMetrics metrics, TimeProvider time)
{
    private const string Protocol = "import";

    // Readings in the log: some tenths of a second.
    private const long MostAhead = 20_000;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    /// <param name="reject">Is told of every line that is not taken: its number, why, and whether nothing of the file follows it.</param>
    /// <exception cref="IngestLogFailedException">It could not be written to disk.</exception>
    public async Task TakeAsync(ImportChunk chunk, Imports.Running import, Action<long, string, bool> reject, CancellationToken cancellationToken)
    {
        while (progress.Behind() > MostAhead)
            await Task.Delay(LookAgain, time, cancellationToken);
        var refused = chunk.Rejected.Count;
        foreach (var (line, error) in chunk.Rejected)
            reject(line, error, chunk.IsCut);
        if (chunk.Lines.Count > 0)
        {
            var batch = parser.ParseNdjson(chunk.Json, isContinued: true);
            var admitted = admission.Admit(batch, new Sender(SenderKind.Admin), topicDevice: null, mayOwe: true);
            foreach (var reading in admitted.Readings)
                rates.TakeMore(reading.Device, -1);
            refused += admitted.Rejected.Count;
            if (admitted.Readings.Count > 0)
            {
                // When the log is full it waits for room, like a connection of MQTT.
                var taken = await intake.AppendAsync(admitted.Readings, [], cancellationToken);
                await taken.Committed;
                Interlocked.Add(ref import.Accepted, admitted.Readings.Count - taken.Duplicates);
                Interlocked.Add(ref import.Duplicates, taken.Duplicates);
            }
            foreach (var one in admitted.Rejected)
                reject(chunk.Lines[one.Index], one.Error, false);
        }
        Interlocked.Add(ref import.Lines, chunk.Lines.Count + chunk.Rejected.Count);
        Interlocked.Add(ref import.Rejected, refused);
        Volatile.Write(ref import.LastLine, chunk.LastLine);
        import.IsCut |= chunk.IsCut;
        metrics.Received(Protocol, chunk.Lines.Count + chunk.Rejected.Count);
        metrics.Rejected(Protocol, refused);
        ledger.Rejected(Ledger.Others, refused);
    }
}
