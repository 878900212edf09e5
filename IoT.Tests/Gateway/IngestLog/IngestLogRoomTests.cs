using IoT.Modules.Gateway.IngestLog;
using Xunit;

namespace IoT.Tests.Gateway.IngestLog;

public sealed class IngestLogRoomTests
{
    private const int NoSpace = 28;
    private static readonly IngestLogOptions Tight = LogTesting.Small with { BudgetBytes = 3 * 16 * 1024, MaxPendingBytes = 20 * 1024 };

    [Fact]
    public async Task A_full_log_refuses_keeps_its_budget_and_goes_on_when_it_was_trimmed()
    {
        var disk = new SimulatedDisk();
        await using var log = disk.Open(Tight);
        var appended = await FillAsync(log);
        Assert.True(log.IsFull);
        Assert.True(log.SizeBytes <= Tight.BudgetBytes);
        var room = log.WaitForRoomAsync(LogTesting.Cancel);
        Assert.False(room.IsCompleted);

        log.TrimTo(log.DurableSequence + 1);
        await room.WaitAsync(LogTesting.Cancel);
        Assert.False(log.IsFull);
        Assert.Equal(appended + 1, await log.AppendAsync(new byte[1000]));
        for (var i = 0; i < 200; i++)
        {
            await log.AppendAsync(new byte[1000]);
            Assert.True(log.SizeBytes <= Tight.BudgetBytes);
            log.TrimTo(log.DurableSequence + 1);
        }
        Assert.True(disk.Names.Count(name => name != "log.id") <= 3);
    }

    [Fact]
    public async Task A_log_that_was_full_is_full_when_it_is_opened_again()
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open(Tight))
            await FillAsync(log);
        await using var again = disk.Open(Tight);
        Assert.False(again.TryAppend(new byte[1000], out _));
        again.TrimTo(again.DurableSequence + 1);
        await again.AppendAsync(new byte[1000]);
    }

    [Fact]
    public async Task What_waits_in_memory_is_bounded_and_goes_on_when_it_is_written()
    {
        var disk = new SimulatedDisk();
        using var held = new ManualResetEventSlim();
        await using var log = disk.Open(Tight);
        disk.Before = (operation, _) =>
        {
            if (operation == "fdatasync")
                held.Wait(LogTesting.Cancel);
        };
        var taken = 0;
        while (log.TryAppend(new byte[1000], out _))
            taken++;
        Assert.Equal(Tight.MaxPendingBytes / 1024, taken);
        Assert.True(log.PendingBytes <= Tight.MaxPendingBytes);
        Assert.False(log.IsFull);
        var room = log.WaitForRoomAsync(LogTesting.Cancel);
        Assert.False(room.IsCompleted);
        held.Set();
        await room.WaitAsync(LogTesting.Cancel);
        await log.AppendAsync(new byte[1000]);
    }

    [Fact]
    public async Task A_disk_without_space_makes_the_log_full_not_failed_and_it_tries_again()
    {
        var disk = new SimulatedDisk();
        var failing = true;
        var attempts = 0;
        await using var log = disk.Open(LogTesting.Small);
        await log.AppendAsync([1]);
        disk.Before = (operation, _) =>
        {
            if (operation == "create" && Volatile.Read(ref failing))
            {
                Interlocked.Increment(ref attempts);
                throw new IOException("No space left on device", NoSpace);
            }
        };
        var appended = await FillAsync(log);
        await Support.Eventually.TrueAsync(() => Task.FromResult(Volatile.Read(ref attempts) > 2), "tried again");
        Assert.True(log.IsFull);
        Assert.False(log.Failed.IsCompleted);
        Assert.True(log.SizeBytes < LogTesting.Small.BudgetBytes);

        var room = log.WaitForRoomAsync(LogTesting.Cancel);
        Volatile.Write(ref failing, false);
        await room.WaitAsync(LogTesting.Cancel);
        Assert.Equal(log.NextSequence, await log.AppendAsync(new byte[1000]));
        Assert.Equal(log.DurableSequence, log.ReadAll(1000).Count);
        Assert.True(log.DurableSequence > appended);
    }

    [Fact]
    public async Task Records_that_wait_for_a_segment_that_finds_no_space_are_never_acknowledged_when_it_closes()
    {
        var disk = new SimulatedDisk();
        var log = disk.Open(LogTesting.Small);
        // The spare may be there already; the one after it never is.
        disk.Before = (operation, _) =>
        {
            if (operation == "create")
                throw new IOException("No space left on device", NoSpace);
        };
        var tickets = new List<IngestTicket>();
        for (var i = 0; i < 60 && log.TryAppend(new byte[1000], out var ticket); i++)
            tickets.Add(ticket);
        await log.DisposeAsync();
        var kept = 0;
        foreach (var ticket in tickets)
        {
            if (ticket.Committed.IsCompletedSuccessfully)
                kept++;
            else
                await Assert.ThrowsAsync<IngestLogFailedException>(() => ticket.Committed);
        }
        disk.Before = null;
        await using var again = disk.Open();
        Assert.True(again.ReadAll(100).Count >= kept);
    }

    [Theory]
    [InlineData("fdatasync")]
    [InlineData("write")]
    [InlineData("fsync directory")]
    public async Task A_disk_error_is_the_end_nothing_is_retried_and_nothing_more_is_acknowledged(string operation)
    {
        var disk = new SimulatedDisk();
        await using var log = disk.Open(LogTesting.Small);
        await log.AppendAsync([1]);
        var failures = 0;
        var later = 0;
        disk.Before = (now, _) =>
        {
            if (Volatile.Read(ref failures) > 0 && (now is "write" or "fdatasync"))
                Interlocked.Increment(ref later);
            if (now == operation)
            {
                Interlocked.Increment(ref failures);
                throw new IOException("Input/output error", 5);
            }
        };
        var refused = 0;
        for (var i = 0; i < 100; i++)
        {
            if (!log.TryAppend(new byte[1000], out var ticket))
                break;
            try
            {
                await ticket.Committed.WaitAsync(LogTesting.Cancel);
                Assert.True(refused == 0, "acknowledged after the failure");
            }
            catch (IngestLogFailedException)
            {
                refused++;
            }
        }
        var failure = await log.Failed.WaitAsync(LogTesting.Cancel);
        Assert.Contains("Input/output error", failure.Message, StringComparison.Ordinal);
        Assert.True(refused > 0);
        await Assert.ThrowsAsync<IngestLogFailedException>(() => log.WaitForRoomAsync(LogTesting.Cancel));
        await Assert.ThrowsAsync<IngestLogFailedException>(async () => await log.WaitForDurableAsync(log.NextSequence, LogTesting.Cancel));
        await log.DisposeAsync();
        Assert.Equal(1, failures);
        Assert.Equal(0, later);
    }

    /// <summary>Appends until it is refused for want of disk.</summary>
    private static async Task<long> FillAsync(DurableLog log)
    {
        while (!log.IsFull)
        {
            if (log.TryAppend(new byte[1000], out _))
                continue;
            var room = log.WaitForRoomAsync(LogTesting.Cancel);
            await Support.Eventually.TrueAsync(() => Task.FromResult(room.IsCompleted || log.IsFull), "room, or full");
        }
        return log.NextSequence - 1;
    }
}
