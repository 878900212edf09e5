using System.Buffers.Binary;
using System.Text;
using IoT.Modules.Gateway.IngestLog;
using Xunit;

namespace IoT.Tests.Gateway.IngestLog;

/// <summary>Atomic batches, and logs that were written before there were any.</summary>
public sealed class IngestLogBatchTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_batch_at_the_end_that_lacks_a_record_is_gone_whole_whichever_it_lacks(int lacking)
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open())
        {
            await log.AppendAllAsync(LogTesting.Words(1, 5));
            await AppendBatchAsync(log, ["first", "second", "third"]);
        }
        Spoil(disk, new[] { "first", "second", "third" }[lacking]);
        long next;
        await using (var log = disk.Open())
        {
            Assert.Equal(LogTesting.Words(1, 5), log.ReadAll().Select(r => r.Text));
            Assert.Equal(DamageKind.Torn, Assert.Single(log.Damages).Kind);
            Assert.True(log.NextSequence > 8, $"{log.NextSequence} is given out again");
            next = await log.AppendAsync(LogTesting.Text("later"));
        }
        await using var again = disk.Open();
        Assert.Equal((next, "later"), again.ReadAll()[^1]);
        Assert.Equal(6, again.ReadAll().Count);
        Assert.Empty(again.Damages);
    }

    [Theory]
    [InlineData("b1")]
    [InlineData("b2")]
    [InlineData("b3")]
    public async Task In_the_middle_of_the_last_group_it_is_gone_whole_and_its_neighbours_stay(string lacking)
    {
        var disk = new SimulatedDisk();
        using var hold = new ManualResetEventSlim();
        await using (var log = disk.Open())
        {
            await log.AppendAsync(LogTesting.Text("before"));
            disk.Before = (operation, _) =>
            {
                if (operation == "fdatasync")
                    hold.Wait(LogTesting.Cancel);
            };
            // While the first is being synced the others gather: they are one group.
            var first = log.AppendAsync(LogTesting.Text("held"));
            await Support.Eventually.TrueAsync(() => Task.FromResult(log.PendingBytes > 0), "an append that waits", TimeSpan.FromSeconds(10));
            var group = Task.WhenAll(AppendBatchAsync(log, ["a1", "a2"]), AppendBatchAsync(log, ["b1", "b2", "b3"]), log.AppendAsync(LogTesting.Text("single")), AppendBatchAsync(log, ["c1", "c2"]));
            hold.Set();
            await Task.WhenAll(first, group);
            disk.Before = null;
        }
        Spoil(disk, lacking);
        for (var time = 0; time < 2; time++)
        {
            await using var log = disk.Open();
            Assert.Equal(["before", "held", "a1", "a2", "single", "c1", "c2"], log.ReadAll().Select(r => r.Text));
            Assert.Equal(time == 0 ? [DamageKind.Torn] : [], log.Damages.Select(d => d.Kind));
            foreach (var (sequence, text) in log.ReadAll())
            {
                using var read = log.Read(sequence, 1, 4096);
                Assert.Equal(text, Encoding.UTF8.GetString(read[0].Payload.Span));
            }
        }
    }

    [Fact]
    public async Task Damage_to_a_batch_that_was_durable_long_ago_costs_the_record_only()
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open())
        {
            await AppendBatchAsync(log, ["first", "second", "third"]);
            await log.AppendAsync(LogTesting.Text("later"));
        }
        Spoil(disk, "second");
        await using var again = disk.Open();
        Assert.Equal(["first", "third", "later"], again.ReadAll().Select(r => r.Text));
        Assert.Equal((DamageKind.Records, 2L, 2L), Assert.Single(again.Damages.Select(d => (d.Kind, d.FirstSequence, d.LastSequence))));
    }

    [Fact]
    public async Task A_batch_never_spans_segments()
    {
        var disk = new SimulatedDisk();
        await using var log = disk.Open();
        for (var i = 0; i < 40; i++)
            await AppendBatchAsync(log, [.. LogTesting.Words(i * 10, i * 10 + 8, 400)]);
        await AppendBatchAsync(log, [.. LogTesting.Words(1_000, 1_050, 1_000)]); // Larger than a segment.
        Assert.Equal(40 * 9 + 51, log.ReadAll().Count);
        var starts = disk.Names.Select(name => SegmentHeader.TryParseName(name, out var first) ? first : 0).Where(first => first > 0).ToList();
        Assert.True(starts.Count > 5, $"{starts.Count} segments: it tests nothing");
        Assert.All(starts, first => Assert.Equal(1, first % 9));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(300)]
    [InlineData(0)]
    public async Task A_log_of_version_1_is_read_and_goes_on_in_version_2(int records)
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open())
            await log.AppendAllAsync(LogTesting.Words(1, records));
        MakeVersion1(disk);
        await using (var log = disk.Open())
        {
            Assert.Equal(records == 0 ? 2 : 1, log.FirstVersion);
            Assert.Equal(LogTesting.Words(1, records), log.ReadAll().Select(r => r.Text));
            await AppendBatchAsync(log, ["first", "second"]);
            Assert.Equal(records + 3, log.NextSequence);
        }
        await using var again = disk.Open();
        Assert.Equal([.. LogTesting.Words(1, records), "first", "second"], again.ReadAll().Select(r => r.Text));
        Assert.Empty(again.Damages);
        Assert.Equal(2u, VersionOf(disk, disk.Names.Last(name => name.EndsWith(".log", StringComparison.Ordinal))));
        again.TrimTo(again.NextSequence);
        await Support.Eventually.TrueAsync(() => Task.FromResult(again.FirstVersion == 2), "the old segments gone", TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_torn_end_of_a_log_of_version_1_is_cleared_as_ever()
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open())
            await log.AppendAllAsync(LogTesting.Words(1, 20));
        var name = disk.Names.Last(name => name.EndsWith(".log", StringComparison.Ordinal));
        disk.Damage(name, bytes => bytes[bytes.AsSpan().LastIndexOfAnyExcept((byte)0)] ^= 1);
        MakeVersion1(disk);
        await using (var log = disk.Open())
        {
            Assert.Equal(DamageKind.Torn, Assert.Single(log.Damages).Kind);
            await log.AppendAsync(LogTesting.Text("later"));
        }
        await using var again = disk.Open();
        Assert.Equal([.. LogTesting.Words(1, 19), "later"], again.ReadAll().Select(r => r.Text));
        Assert.Empty(again.Damages);
    }

    [Fact]
    public async Task A_log_of_a_later_version_is_refused()
    {
        var disk = new SimulatedDisk();
        await using (var log = disk.Open())
            await log.AppendAllAsync(LogTesting.Words(1, 5));
        Rewrite(disk, 3);
        Assert.Contains("version 3", Assert.Throws<IngestLogUnusableException>(() => disk.Open()).Message, StringComparison.Ordinal);
    }

    private static async Task AppendBatchAsync(DurableLog log, IReadOnlyList<string> records)
    {
        using var batch = log.NewBatch();
        foreach (var record in records)
            batch.Add(LogTesting.Text(record));
        batch.IsAtomic = true;
        IngestTicket ticket;
        while (!log.TryAppend(batch, out ticket))
            await log.WaitForRoomAsync(LogTesting.Cancel);
        await ticket.Committed.WaitAsync(LogTesting.Cancel);
    }

    /// <summary>As if the sector with the record had not been written.</summary>
    private static void Spoil(SimulatedDisk disk, string record)
    {
        var name = disk.Names.Last(name => name.EndsWith(".log", StringComparison.Ordinal) && disk.BytesOf(name).AsSpan().IndexOf(LogTesting.Text(record)) >= 0);
        var at = disk.BytesOf(name).AsSpan().IndexOf(LogTesting.Text(record));
        disk.Damage(name, bytes => bytes.AsSpan(at - RecordCodec.HeaderBytes, record.Length + RecordCodec.HeaderBytes).Clear());
    }

    private static void MakeVersion1(SimulatedDisk disk) => Rewrite(disk, 1);

    private static void Rewrite(SimulatedDisk disk, uint version)
    {
        foreach (var name in disk.Names.Where(name => name.EndsWith(".log", StringComparison.Ordinal)))
        {
            disk.Damage(name, bytes =>
            {
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), version);
                BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(36), RecordCodec.Crc(uint.MaxValue, bytes.AsSpan(0, 36)));
            });
        }
    }

    private static uint VersionOf(SimulatedDisk disk, string name) => BinaryPrimitives.ReadUInt32LittleEndian(disk.BytesOf(name).AsSpan(8));
}
