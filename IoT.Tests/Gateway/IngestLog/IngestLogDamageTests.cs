using System.Text;
using IoT.Modules.Gateway.IngestLog;
using Xunit;

namespace IoT.Tests.Gateway.IngestLog;

public sealed class IngestLogDamageTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(0)]  // length
    [InlineData(6)]  // header checksum
    [InlineData(9)]  // sequence
    [InlineData(17)] // place in the group
    [InlineData(22)] // payload checksum
    [InlineData(24)] // payload
    [InlineData(123)]
    public async Task A_flipped_bit_in_the_middle_costs_its_record_and_is_reported(int offsetInRecord)
    {
        var (disk, words) = await WrittenAsync(300);
        var first = disk.Names.First(name => name.EndsWith(".log", StringComparison.Ordinal));
        var at = PositionOf(disk, first, words[49]) - RecordCodec.HeaderBytes;
        disk.Damage(first, bytes => bytes[at + offsetInRecord] ^= 4);

        for (var time = 0; time < 2; time++)
        {
            await using var log = disk.Open();
            Assert.Equal(words.Where((_, i) => i != 49), log.ReadAll().Select(r => r.Text));
            Assert.Equal(301, log.NextSequence);
            var damage = Assert.Single(log.Damages);
            Assert.Equal(new DamageReport(DamageKind.Records, first, at, at + 124, 50, 50), damage);
        }
    }

    [Fact]
    public async Task Damage_that_comes_while_the_log_is_open_is_passed_over_and_reported_once()
    {
        var (disk, words) = await WrittenAsync(300);
        await using var log = disk.Open();
        var first = disk.Names.First(name => name.EndsWith(".log", StringComparison.Ordinal));
        disk.Damage(first, bytes => bytes.AsSpan(PositionOf(disk, first, words[20]), 300).Fill(7));
        for (var time = 0; time < 2; time++)
            Assert.Equal(words.Where((_, i) => i is < 20 or > 22), log.ReadAll().Select(r => r.Text));
        Assert.Equal((21, 23), Assert.Single(log.Damages.Select(d => (d.FirstSequence, d.LastSequence))));
    }

    [Fact]
    public async Task Any_single_flipped_bit_costs_at_most_one_record_invents_nothing_and_is_reported()
    {
        var seed = LogTesting.Seed(output);
        var random = new Random(seed);
        for (var run = 0; run < 300; run++)
        {
            var (disk, words) = await WrittenAsync(170, single: run % 2 == 0);
            var names = disk.Names.Where(name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
            var victim = names[random.Next(names.Count)];
            var used = disk.BytesOf(victim).AsSpan().LastIndexOfAnyExcept((byte)0);
            var at = random.Next(random.Next(3) == 0 ? 64 : used + 1);
            disk.Damage(victim, bytes => bytes[at] ^= (byte)(1 << random.Next(8)));

            long next;
            await using (var log = disk.Open())
            {
                var found = log.ReadAll().Select(r => r.Text).ToList();
                Assert.True(found.Count >= words.Count - 1 && words.Where(found.Contains).SequenceEqual(found), $"seed {seed}, run {run}: byte {at} of {victim} cost {words.Count - found.Count}");
                Assert.True(found.Count == words.Count || log.Damages.Count == 1, $"seed {seed}, run {run}: not reported");
                Assert.True(log.NextSequence > words.Count, $"seed {seed}, run {run}: number {log.NextSequence} is given out again");
                next = await log.AppendAsync(LogTesting.Text("later"));
            }
            await using var again = disk.Open();
            Assert.Equal((next, "later"), again.ReadAll()[^1]);
            Assert.DoesNotContain(again.Damages, d => d.Kind == DamageKind.Torn);
        }
    }

    [Fact]
    public async Task A_payload_that_looks_like_records_of_a_log_is_not_taken_for_them()
    {
        var disk = new SimulatedDisk();
        var imposter = new RecordCodec(Guid.Empty);
        var payload = new byte[4_000];
        for (var i = 0; i + 40 <= payload.Length; i += 40)
            imposter.WriteRecord(payload.AsSpan(i), 16, 10 + i / 40, 0, imposter.ChecksumOf(payload.AsSpan(i + 24, 16)));
        await using (var log = disk.Open())
        {
            await log.AppendAllAsync(LogTesting.Words(1, 5));
            await log.AppendAsync(payload);
            await log.AppendAllAsync(LogTesting.Words(7, 9));
        }
        var name = SegmentHeader.NameOf(1);
        var at = disk.BytesOf(name).AsSpan().IndexOf(payload) - RecordCodec.HeaderBytes;
        disk.Damage(name, bytes => bytes[at + 1] ^= 1); // Its length is lost, so its inside is searched.
        await using var again = disk.Open();
        Assert.Equal(LogTesting.Words(1, 9).Where((_, i) => i != 5), again.ReadAll().Select(r => r.Text));
        Assert.Equal(new DamageReport(DamageKind.Records, name, at, at + 4_024, 6, 6), Assert.Single(again.Damages));
    }

    [Fact]
    public async Task Bytes_behind_a_cut_never_come_alive()
    {
        var disk = new SimulatedDisk();
        long cutAt;
        await using (var log = disk.Open())
        {
            await log.AppendAllAsync(LogTesting.Words(1, 5));
            // The worst that old bytes can be: a sound record of this very log with a number that is yet to come.
            var codec = new RecordCodec(log.LogId);
            var payload = new byte[2_000];
            LogTesting.Text("ghost").CopyTo(payload, 1_024);
            codec.WriteRecord(payload.AsSpan(1_000), 5, 1_000, 0, codec.ChecksumOf(payload.AsSpan(1_024, 5)));
            cutAt = await log.AppendAsync(payload);
        }
        var name = SegmentHeader.NameOf(1);
        var ghost = disk.BytesOf(name).AsSpan().IndexOf("ghost"u8);
        disk.Damage(name, bytes => bytes[ghost + 100] ^= 1);
        await using (var log = disk.Open())
        {
            var torn = Assert.Single(log.Damages);
            Assert.Equal((DamageKind.Torn, cutAt), (torn.Kind, torn.FirstSequence));
            await log.AppendAsync(LogTesting.Text("new"));
        }
        await using var again = disk.Open();
        Assert.Equal([.. LogTesting.Words(1, 5), "new"], again.ReadAll().Select(r => r.Text));
        Assert.Empty(again.Damages);
        Assert.True(disk.BytesOf(name).AsSpan().IndexOf("ghost"u8) < 0);
    }

    [Fact]
    public async Task The_number_of_a_last_record_that_went_bad_is_not_given_out_again()
    {
        var (disk, words) = await WrittenAsync(10, single: true);
        var name = SegmentHeader.NameOf(1);
        disk.Damage(name, bytes => bytes[PositionOf(disk, name, words[9])] ^= 1);
        await using var log = disk.Open();
        Assert.Equal(DamageKind.Torn, Assert.Single(log.Damages).Kind);
        Assert.True(await log.AppendAsync(LogTesting.Text("next")) > 10);
        Assert.Equal(words.Take(9).Append("next"), log.ReadAll().Select(r => r.Text));
    }

    [Fact]
    public async Task A_missing_segment_is_reported_with_its_sequences_and_the_others_are_read()
    {
        var (disk, words) = await WrittenAsync(500);
        var names = disk.Names.Where(name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
        Assert.True(SegmentHeader.TryParseName(names[1], out var from) & SegmentHeader.TryParseName(names[2], out var to));
        disk.Remove(names[1]);
        await using var log = disk.Open();
        Assert.Equal(words.Where((_, i) => i + 1 < from || i + 1 >= to), log.ReadAll().Select(r => r.Text));
        var damage = Assert.Single(log.Damages);
        Assert.Equal((DamageKind.MissingSegment, names[0], from, to - 1), (damage.Kind, damage.Segment, damage.FirstSequence, damage.LastSequence));
        Assert.Equal(501, await log.AppendAsync([1]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(16 * 1024)]
    public async Task A_new_segment_that_a_crash_left_empty_is_made_again(int length)
    {
        var (disk, words) = await WrittenAsync(50);
        disk.Put(SegmentHeader.NameOf(51), new byte[length]);
        await using var log = disk.Open();
        Assert.Equal(51, await log.AppendAsync(LogTesting.Text("x")));
        Assert.Equal(words.Append("x"), log.ReadAll().Select(r => r.Text));
        Assert.Empty(log.Damages);
    }

    [Fact]
    public async Task A_damaged_header_is_written_again_and_costs_no_record()
    {
        var (disk, words) = await WrittenAsync(500);
        var names = disk.Names.Where(name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
        disk.Damage(names[1], bytes => bytes[30] ^= 1);
        disk.Damage(names[^1], bytes => bytes.AsSpan(0, 20).Fill(9));
        await using (var log = disk.Open())
        {
            Assert.Equal(words, log.ReadAll().Select(r => r.Text));
            Assert.Equal([DamageKind.Header, DamageKind.Header], log.Damages.Select(d => d.Kind));
        }
        await using var again = disk.Open();
        Assert.Empty(again.Damages);
    }

    [Fact]
    public async Task The_numbers_of_a_last_segment_of_which_nothing_is_left_are_not_given_out_again()
    {
        var (disk, words) = await WrittenAsync(200);
        var last = disk.Names.Last(name => name.EndsWith(".log", StringComparison.Ordinal));
        Assert.True(SegmentHeader.TryParseName(last, out var from));
        disk.Damage(last, bytes => bytes.AsSpan(12).Fill(0x55));
        await using (var log = disk.Open())
        {
            Assert.Equal(words.Take((int)from - 1), log.ReadAll().Select(r => r.Text));
            Assert.Contains(log.Damages, d => d.Kind == DamageKind.Records && d.Segment == last);
            Assert.True(await log.AppendAsync(LogTesting.Text("x")) > 200);
        }
        await using var again = disk.Open();
        Assert.Equal(words.Take((int)from - 1).Append("x"), again.ReadAll().Select(r => r.Text));
    }

    [Fact]
    public async Task What_is_not_of_this_log_is_named_and_refused()
    {
        var (disk, _) = await WrittenAsync(200);
        var (other, _) = await WrittenAsync(10);
        var stray = SegmentHeader.NameOf(900);

        disk.Put(stray, Encoding.UTF8.GetBytes("not a segment at all, but someone's notes"));
        Refused(stray);
        var foreign = (byte[])other.BytesOf(SegmentHeader.NameOf(1)).Clone();
        SegmentHeader.Write(foreign, Guid.NewGuid(), 900);
        disk.Put(stray, foreign);
        Refused(stray);
        disk.Put(stray, disk.BytesOf(SegmentHeader.NameOf(1)));
        Refused(stray); // Renamed.
        disk.Remove(stray);

        var earlier = disk.BytesOf(SegmentHeader.NameOf(1));
        var inside = (byte[])earlier.Clone();
        SegmentHeader.Write(inside, LogIdentity.Read(disk.Mount())!.Value, 50);
        disk.Put(SegmentHeader.NameOf(50), inside);
        Refused(SegmentHeader.NameOf(1));
        disk.Remove(SegmentHeader.NameOf(50));

        await using (var log = disk.Open())
            Assert.Equal(200, log.DurableSequence);
        foreach (var name in disk.Names.Where(name => name.EndsWith(".log", StringComparison.Ordinal)))
            disk.Remove(name);
        Refused("log.id");

        void Refused(string named)
        {
            var error = Assert.Throws<IngestLogUnusableException>(() => disk.Open());
            Assert.Contains(named, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_lost_identity_is_taken_from_the_segments()
    {
        var (disk, words) = await WrittenAsync(50);
        var id = LogIdentity.Read(disk.Mount());
        foreach (var loss in (Action[])[() => disk.Remove("log.id"), () => disk.Damage("log.id", bytes => bytes[9] ^= 1)])
        {
            loss();
            await using var log = disk.Open();
            Assert.Equal((id, words.Count), (log.LogId, log.ReadAll().Count));
            Assert.Equal(id, LogIdentity.Read(disk.Mount()));
        }
    }

    /// <summary>A closed log of so many records of 100 bytes: in groups of ten, or each in its own.</summary>
    private static async Task<(SimulatedDisk Disk, List<string> Words)> WrittenAsync(int records, bool single = false)
    {
        var disk = new SimulatedDisk();
        var words = LogTesting.Words(1, records).ToList();
        await using var log = disk.Open();
        using var batch = log.NewBatch();
        foreach (var group in words.Chunk(single ? 1 : 10))
        {
            batch.Clear();
            foreach (var word in group)
                batch.Add(LogTesting.Text(word));
            Assert.True(log.TryAppend(batch, out var ticket));
            await ticket.Committed.WaitAsync(LogTesting.Cancel);
        }
        return (disk, words);
    }

    private static int PositionOf(SimulatedDisk disk, string name, string record) => disk.BytesOf(name).AsSpan().IndexOf(LogTesting.Text(record));
}
