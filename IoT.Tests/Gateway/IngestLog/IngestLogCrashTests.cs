using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using IoT.Modules.Gateway.IngestLog;
using Xunit;

namespace IoT.Tests.Gateway.IngestLog;

public sealed class IngestLogCrashTests(ITestOutputHelper output)
{
    /// <summary>
    /// The promise. Producers append at once, readers read, what was read is trimmed now and then; the power goes, or only the process,
    /// at a random operation, often while recovering from the crash before.
    /// </summary>
    [Fact]
    public async Task Whatever_was_acknowledged_is_there_once_and_in_order_after_any_crash()
    {
        var seed = LogTesting.Seed(output);
        int crashes = 0, acknowledged = 0, torn = 0, batches = 0;
        var until = TimeProvider.System.GetTimestamp();
        for (var run = 0; run < 150; run++)
        {
            var history = new History(new Random(unchecked(seed + run * 7919)), $"seed {seed}, run {run}");
            var disk = new SimulatedDisk();
            for (var life = 0; life < 6; life++)
                disk = await history.LiveAsync(disk);
            crashes += 6;
            acknowledged += history.Acknowledged;
            torn += history.Torn;
            batches += Math.Min(history.AtomicFound, history.AtomicMissing);
        }
        output.WriteLine($"{crashes} crashes, {acknowledged} records acknowledged, {torn} torn ends, {TimeProvider.System.GetElapsedTime(until).TotalSeconds:F1} s");
        Assert.True(acknowledged > 5_000 && torn > 10 && batches > 10, $"{acknowledged} acknowledged, {torn} torn, {batches} batches: it tests nothing");
    }

    private sealed class History(Random random, string name)
    {
        private readonly ConcurrentDictionary<string, bool> _submitted = new();
        private readonly ConcurrentDictionary<string, List<string>> _atomic = new();
        private readonly ConcurrentDictionary<long, string> _promised = new();
        private readonly SortedDictionary<long, string> _seen = [];
        private long _trimmed = 1;
        private int _life;

        public int Acknowledged { get; private set; }
        public int Torn { get; private set; }
        public int AtomicFound { get; private set; }
        public int AtomicMissing { get; private set; }

        public async Task<SimulatedDisk> LiveAsync(SimulatedDisk disk)
        {
            _life++;
            if (_life > 1 || random.Next(2) == 0)
                disk.CrashAfter(random.Next(1, random.Next(2) == 0 ? 15 : 120));
            else
                disk.CrashAfter(120);
            DurableLog log;
            try
            {
                log = disk.Open(LogTesting.Small);
            }
            catch (InvalidOperationException)
            {
                return disk.Crash(random, random.Next(4) == 0); // In the middle of recovery.
            }

            Check(log);
            var seeds = Enumerable.Range(0, 4).Select(_ => random.Next()).ToArray();
            await Task.WhenAll(seeds.Select((seed, i) => Task.Run(() => ProduceAsync(log, new Random(seed), i))));
            await log.Failed.WaitAsync(TimeSpan.FromSeconds(30), LogTesting.Cancel);
            await log.DisposeAsync();
            Acknowledged = _promised.Count;
            return disk.Crash(random, random.Next(4) == 0);
        }

        private async Task ProduceAsync(DurableLog log, Random mine, int producer)
        {
            var tickets = new List<(IngestTicket Ticket, List<string> Records)>();
            using var batch = log.NewBatch();
            for (var i = 0; i < 2_000 && !log.Failed.IsCompleted; i++)
            {
                batch.Clear();
                var records = new List<string>();
                for (var n = mine.Next(4) == 0 ? mine.Next(2, 9) : 1; n > 0; n--)
                {
                    var length = mine.Next(20) switch { 0 => mine.Next(3_000), 1 => mine.Next(20_000), _ => mine.Next(120) };
                    var record = $"{_life}.{producer}.{i}.{n} ".PadRight(length, (char)('a' + mine.Next(26)));
                    records.Add(record);
                    _submitted[record] = true;
                    batch.Add(Encoding.UTF8.GetBytes(record));
                }
                if (batch.Bytes > LogTesting.Small.MaxPendingBytes)
                    continue;
                if (records.Count > 1 && mine.Next(2) == 0)
                {
                    batch.IsAtomic = true;
                    records.ForEach(record => _atomic[record] = records);
                }
                try
                {
                    IngestTicket ticket;
                    while (!log.TryAppend(batch, out ticket))
                    {
                        TrimSome(log);
                        await log.WaitForRoomAsync(LogTesting.Cancel);
                    }
                    tickets.Add((ticket, records));
                    if (mine.Next(3) > 0)
                        await ticket.Committed.WaitAsync(LogTesting.Cancel);
                    if (mine.Next(50) == 0)
                        TrimSome(log);
                }
                catch (IngestLogFailedException)
                {
                    break;
                }
            }
            foreach (var (ticket, records) in tickets)
            {
                try
                {
                    await ticket.Committed.WaitAsync(LogTesting.Cancel);
                    for (var i = 0; i < records.Count; i++)
                        Assert.True(_promised.TryAdd(ticket.FirstSequence + i, records[i]), $"{name}: sequence {ticket.FirstSequence + i} was given out twice");
                }
                catch (IngestLogFailedException)
                {
                    // Never promised.
                }
            }
        }

        /// <summary>Half of what is there was stored, say.</summary>
        private void TrimSome(DurableLog log)
        {
            var to = (log.FirstSequence + log.DurableSequence) / 2;
            lock (_promised)
                _trimmed = Math.Max(_trimmed, to);
            log.TrimTo(to);
        }

        private void Check(DurableLog log)
        {
            var found = log.ReadAll();
            Assert.True(found.Select(r => r.Sequence).SequenceEqual(found.Select(r => r.Sequence).Distinct().Order()), $"{name}: out of order");
            Assert.True(found.Select(r => r.Text).Distinct().Count() == found.Count, $"{name}: a record is there twice");
            Assert.All(found, r => Assert.True(_submitted.ContainsKey(r.Text), $"{name}: {r.Sequence} was invented"));
            var there = found.ToDictionary(r => r.Sequence, r => r.Text);
            var texts = found.Select(r => r.Text).ToHashSet();
            foreach (var batch in _atomic.Values.Distinct())
            {
                var kept = batch.Count(texts.Contains);
                Assert.True(kept == 0 || kept == batch.Count, $"{name}, life {_life}: {kept} of the {batch.Count} records of an atomic batch are there");
                (AtomicFound, AtomicMissing) = kept > 0 ? (AtomicFound + 1, AtomicMissing) : (AtomicFound, AtomicMissing + 1);
            }
            // Also what was readable once: it may have been stored, so it must stay, and its number must not be given out again.
            foreach (var (sequence, text) in _promised.Concat(_seen))
                Assert.True(sequence < _trimmed || (there.TryGetValue(sequence, out var now) && now == text), $"{name}, life {_life}: {sequence} is lost, {log.FirstSequence} to {log.DurableSequence} are there");
            foreach (var (sequence, text) in there)
            {
                Assert.True(!_promised.TryGetValue(sequence, out var before) || before == text, $"{name}: {sequence} has changed");
                _seen[sequence] = text;
            }
            Assert.True(log.FirstSequence <= _trimmed, $"{name}: {log.FirstSequence} is the first, only {_trimmed} was trimmed");
            Assert.All(log.Damages, damage => Assert.True(damage.Kind == DamageKind.Torn, string.Create(CultureInfo.InvariantCulture, $"{name}: {damage}")));
            Torn += log.Damages.Count;
        }
    }
}
