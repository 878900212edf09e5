using System.Text;
using IoT.Modules.Gateway.IngestLog;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace IoT.Tests.Gateway.IngestLog;

/// <summary>Short words for what the log's tests do all the time.</summary>
internal static class LogTesting
{
    /// <summary>Small segments, so that a test sees many.</summary>
    public static readonly IngestLogOptions Small = new()
    {
        SegmentBytes = 16 * 1024,
        BudgetBytes = 512 * 1024,
        MaxPendingBytes = 64 * 1024,
        RetryInterval = TimeSpan.FromMilliseconds(10),
    };

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static DurableLog Open(this SimulatedDisk disk, IngestLogOptions? options = null) =>
        DurableLog.Open(disk.Mount(), options ?? Small, TimeProvider.System, NullLogger.Instance);

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Appends, waits for room when there is none, and awaits the commit.</summary>
    public static async Task<long> AppendAsync(this DurableLog log, byte[] record)
    {
        IngestTicket ticket;
        while (!log.TryAppend(record, out ticket))
            await log.WaitForRoomAsync(Cancel);
        await ticket.Committed.WaitAsync(Cancel);
        return ticket.FirstSequence;
    }

    public static async Task AppendAllAsync(this DurableLog log, IEnumerable<string> records)
    {
        foreach (var record in records)
            await log.AppendAsync(Text(record));
    }

    /// <summary>All that may be read, in batches of a few.</summary>
    public static List<(long Sequence, string Text)> ReadAll(this DurableLog log, int maxRecords = 7)
    {
        var all = new List<(long, string)>();
        for (var from = log.FirstSequence; from <= log.DurableSequence;)
        {
            using var batch = log.Read(from, maxRecords, 4096);
            for (var i = 0; i < batch.Count; i++)
                all.Add((batch[i].Sequence, Encoding.UTF8.GetString(batch[i].Payload.Span)));
            Assert.True(batch.NextSequence > from, "reading does not get on");
            from = batch.NextSequence;
        }
        return all;
    }

    public static IEnumerable<string> Words(int from, int to, int length = 100) =>
        Enumerable.Range(from, to - from + 1).Select(i => $"{i}:".PadRight(length, (char)('a' + i % 26)));

    public static int Seed(ITestOutputHelper output)
    {
        var seed = Environment.GetEnvironmentVariable("IOT_TEST_SEED") is { } given
            ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture)
            : Random.Shared.Next();
        output.WriteLine($"seed {seed} (again with IOT_TEST_SEED={seed})");
        return seed;
    }
}
