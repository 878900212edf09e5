using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using IoT.Modules.Gateway.IngestLog;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace IoT.Tests.Gateway.IngestLog;

public sealed class IngestLogTests
{
    [Fact]
    public async Task What_was_appended_is_read_again_after_reopening_and_sequences_go_on()
    {
        var directory = Directory.CreateTempSubdirectory("iot-log-");
        try
        {
            var expected = LogTesting.Words(1, 400).ToList();
            Guid id;
            await using (var log = DurableLog.Open(directory.FullName, LogTesting.Small, TimeProvider.System, NullLogger.Instance))
            {
                id = log.LogId;
                await log.AppendAllAsync(expected.Take(200));
                Assert.Equal(200, log.DurableSequence);
                var inUse = Assert.Throws<IOException>(() => DurableLog.Open(directory.FullName, LogTesting.Small, TimeProvider.System, NullLogger.Instance));
                Assert.Contains("in use", inUse.Message, StringComparison.Ordinal);
            }
            await using (var log = DurableLog.Open(directory.FullName, LogTesting.Small, TimeProvider.System, NullLogger.Instance))
            {
                Assert.Equal((id, 201), (log.LogId, log.NextSequence));
                await log.AppendAllAsync(expected.Skip(200));
                Assert.Equal(expected, log.ReadAll().Select(r => r.Text));
                Assert.Equal(Enumerable.Range(1, 400).Select(i => (long)i), log.ReadAll().Select(r => r.Sequence));
                Assert.Empty(log.Damages);

                log.TrimTo(300);
                // The files change in the background until no second segment begins at 300 or before, and one is made ahead.
                await Support.Eventually.TrueAsync(() => Task.FromResult(SegmentsFrom(directory)[1] > 300 && directory.GetFiles("spare.tmp").Length == 1
                    && directory.GetFiles("*.log").Concat(directory.GetFiles("spare.tmp")).Sum(f => f.Length) == log.SizeBytes), "trimmed");
                Assert.Equal(SegmentsFrom(directory)[0], log.FirstSequence);
                Assert.InRange(log.FirstSequence, 200, 300);
                Assert.Equal(expected.Skip((int)log.FirstSequence - 1), log.ReadAll().Select(r => r.Text));
                Assert.Throws<ArgumentOutOfRangeException>(() => log.Read(1, 10, 1000));
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Each_ticket_of_many_producers_completes_only_when_its_record_is_at_rest()
    {
        var disk = new SimulatedDisk();
        await using var log = disk.Open(LogTesting.Small with { BudgetBytes = 4 * 1024 * 1024 });
        var sequences = new ConcurrentDictionary<long, string>();
        await Task.WhenAll(Enumerable.Range(0, 32).Select(producer => Task.Run(async () =>
        {
            var last = 0L;
            for (var i = 0; i < 100; i++)
            {
                var record = $"<{producer}.{i}>";
                Assert.True(log.TryAppend(LogTesting.Text(record), out var ticket));
                await ticket.Committed.WaitAsync(LogTesting.Cancel);
                Assert.True(disk.IsDurable(LogTesting.Text(record)), $"{record} was acknowledged before it was at rest");
                Assert.True(log.DurableSequence >= ticket.LastSequence);
                Assert.True(ticket.FirstSequence > last && sequences.TryAdd(ticket.FirstSequence, record));
                last = ticket.FirstSequence;
            }
        })));
        Assert.Equal(sequences.OrderBy(s => s.Key).Select(s => (s.Key, s.Value)), log.ReadAll(1000));
        Assert.Equal(3_200, log.DurableSequence);
        Assert.True(log.Commits < 3_200, $"{log.Commits} commits: none was shared");
    }

    [Fact]
    public async Task What_waits_during_a_commit_is_committed_together_and_no_ticket_completes_before()
    {
        var disk = new SimulatedDisk();
        using var held = new ManualResetEventSlim(true);
        using var reached = new ManualResetEventSlim();
        await using var log = disk.Open();
        await log.AppendAsync([1]);
        disk.Before = (operation, _) =>
        {
            if (operation != "fdatasync")
                return;
            reached.Set();
            held.Wait(LogTesting.Cancel);
        };
        held.Reset();
        var tickets = Enumerable.Range(0, 50).Select(i => log.TryAppend([(byte)i], out var ticket) ? ticket : throw new InvalidOperationException()).ToList();
        reached.Wait(LogTesting.Cancel);
        Assert.All(tickets, ticket => Assert.False(ticket.Committed.IsCompleted));
        Assert.Equal(1, log.DurableSequence);
        using (var none = log.Read(2, 10, 1000))
            Assert.Equal((0, 2), (none.Count, none.NextSequence));
        held.Set();
        await Task.WhenAll(tickets.Select(t => t.Committed)).WaitAsync(LogTesting.Cancel);
        Assert.InRange(log.Commits, 2, 3);
    }

    [Fact]
    public async Task A_batch_is_contiguous_also_over_segments_and_may_be_encoded_in_place()
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open())
        {
            using var batch = log.NewBatch();
            for (var i = 0; i < 300; i++)
            {
                Encoding.UTF8.GetBytes($"{i}".PadRight(100, '.'), batch);
                if (i % 3 == 1)
                    batch.DropRecord();
                else
                    batch.EndRecord();
            }
            Assert.True(log.TryAppend(batch, out var ticket));
            Assert.Equal((1, 200, 200), (ticket.FirstSequence, ticket.Count, batch.Count));
            batch.Clear();
            batch.Add([]);
            Assert.True(log.TryAppend(batch, out var empty));
            await empty.Committed.WaitAsync(LogTesting.Cancel);
            Assert.True(ticket.Committed.IsCompletedSuccessfully);
            Assert.Throws<ArgumentException>(() => log.TryAppend(log.NewBatch(), out _));
        }
        await using var again = disk.Open();
        var all = again.ReadAll();
        Assert.Equal(Enumerable.Range(0, 300).Where(i => i % 3 != 1).Select(i => $"{i}".PadRight(100, '.')).Append(""), all.Select(r => r.Text));
        Assert.True(disk.Names.Count(n => n.EndsWith(".log", StringComparison.Ordinal)) > 1);
    }

    [Fact]
    public async Task A_record_larger_than_a_segment_gets_one_of_its_own_size()
    {
        var disk = new SimulatedDisk();
        var giant = new string('g', 18 * 1024 * 1024);
        var options = LogTesting.Small with { BudgetBytes = 64L * 1024 * 1024, MaxPendingBytes = 20 * 1024 * 1024 };
        await using (var log = disk.Open(options))
        {
            await log.AppendAllAsync(["before", giant, "after"]);
            Assert.Equal(["before", giant, "after"], log.ReadAll().Select(r => r.Text));
            Assert.Throws<ArgumentOutOfRangeException>(() => log.TryAppend(new byte[20 * 1024 * 1024], out _));
        }
        await using var again = disk.Open(options);
        Assert.Equal(["before", giant, "after"], again.ReadAll().Select(r => r.Text));
        Assert.Empty(again.Damages);
    }

    [Fact]
    public async Task Readers_at_their_own_pace_see_every_record_once_while_it_is_appended()
    {
        var disk = new SimulatedDisk();
        await using var log = disk.Open(LogTesting.Small with { BudgetBytes = 8 * 1024 * 1024 });
        var words = LogTesting.Words(1, 3_000).ToList();
        var readers = Enumerable.Range(1, 3).Select(pace => Task.Run(async () =>
        {
            var seen = new List<string>();
            for (var from = 1L; seen.Count < words.Count;)
            {
                using var batch = await log.ReadAsync(from, 10 * pace, 5_000, LogTesting.Cancel);
                Assert.InRange(batch.Count, 1, 10 * pace);
                Assert.True(batch[batch.Count - 1].Sequence <= log.DurableSequence);
                for (var i = 0; i < batch.Count; i++)
                    seen.Add(Encoding.UTF8.GetString(batch[i].Payload.Span));
                from = batch.NextSequence;
            }
            return seen;
        })).ToList();
        IngestTicket last = default;
        foreach (var word in words)
        {
            while (!log.TryAppend(LogTesting.Text(word), out last))
                await log.WaitForRoomAsync(LogTesting.Cancel);
        }
        await last.Committed.WaitAsync(LogTesting.Cancel);
        foreach (var reader in readers)
            Assert.Equal(words, await reader.WaitAsync(LogTesting.Cancel));
        for (var from = 1; from <= 3_000; from += 131)
        {
            using var one = log.Read(from, 1, 0);
            Assert.Equal((from, 1, (long)from), (from, one.Count, one[0].Sequence));
        }
    }

    [Fact]
    public async Task Closing_commits_what_waits_and_may_be_done_twice()
    {
        var disk = new SimulatedDisk();
        var log = disk.Open();
        var tickets = LogTesting.Words(1, 300).Select(word => log.TryAppend(LogTesting.Text(word), out var ticket) ? ticket : default).ToList();
        await Task.WhenAll(log.DisposeAsync().AsTask(), log.DisposeAsync().AsTask()).WaitAsync(LogTesting.Cancel);
        Assert.All(tickets, ticket => Assert.True(ticket.Committed.IsCompletedSuccessfully));
        Assert.True(log.TryAppend([1], out var late));
        await Assert.ThrowsAsync<IngestLogFailedException>(() => late.Committed);
        Assert.False(log.Failed.IsCompleted);
        await using var again = disk.Open();
        Assert.Equal(300, again.ReadAll().Count);
    }

    private static List<long> SegmentsFrom(DirectoryInfo directory) =>
        [.. directory.GetFiles("*.log").Select(file => SegmentHeader.TryParseName(file.Name, out var first) ? first : 0).Order()];
}
