using System.Diagnostics.Metrics;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Modules.Storage.Contracts;
using IoT.Tests.Gateway.IngestLog;
using IoT.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Durable;

/// <summary>From the journal through the log into the file, on real files.</summary>
public sealed class BrokerStateWriterTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("iot-writer-").FullName;

    [Fact]
    public async Task What_was_appended_is_written_soon_and_found_at_the_next_start()
    {
        await using (var life = await Life.BeginAsync(_directory))
        {
            Assert.Equal(BrokerSnapshot.Empty, await life.Journal.LoadAsync(LogTesting.Cancel) with { Sessions = [], Retained = [] }, new ById());
            await Assert.ThrowsAsync<InvalidOperationException>(() => life.Journal.LoadAsync(LogTesting.Cancel));
            await life.Journal.AppendAsync([new SessionOpened(1, "s", "c", 60, null), new Subscribed(1, "a/#", 1, 0)], LogTesting.Cancel);
            await Eventually.TrueAsync(() => Task.FromResult(life.Writer.Behind == 0), "the change in the file");
            Assert.True(life.Journal.TryAppend([new MessageTaken(1, BrokerStateTests.Message("t"), true, [new Delivery(1, 1, false, null)])], out var committed));
            await committed.WaitAsync(LogTesting.Cancel);
        }
        await using (var life = await Life.BeginAsync(_directory))
        {
            // The last change was still brought in when the host stopped.
            Assert.Equal(life.Service.Log.DurableSequence, life.Writer.State.SafePosition);
            var found = await life.Journal.LoadAsync(LogTesting.Cancel);
            var session = Assert.Single(found.Sessions);
            Assert.Equal(("c", "a/#", 1L), (session.ClientId, session.Subscriptions[0].Filter, session.Queue[0].MessageId));
            Assert.Equal("t", Assert.Single(found.Retained).Topic);
            Assert.Equal((2L, 2L), (found.NextSessionId, found.NextMessageId));
        }
    }

    [Fact]
    public async Task The_readings_of_a_publish_and_its_changes_are_one_batch_that_a_torn_end_takes_whole()
    {
        long after;
        await using (var life = await Life.BeginAsync(_directory, writes: false))
        {
            var device = new DeviceDirectory().FindOrAdd("d");
            var readings = Enumerable.Range(0, 3).Select(i => new Reading(device, DateTime.UnixEpoch, "t", "{}"u8.ToArray(), i == 0 ? "id" : null)).ToList();
            await life.Journal.AppendAsync([new SessionOpened(1, "s", "c", uint.MaxValue, null)], LogTesting.Cancel);
            await life.Intake.TryAppend(readings, null, [new MessageTaken(1, BrokerStateTests.Message("t"), false, [new Delivery(1, 1, false, null)])])!.Value.Committed;
            // Known by its id: not logged again, but its publish is a message all the same.
            Assert.Equal(1, life.Intake.TryAppend(readings[..1], null, [new MessageTaken(2, BrokerStateTests.Message("t"), false, [new Delivery(1, 1, false, null)])])!.Value.Duplicates);
            after = life.Service.Log.NextSequence;
            await life.Intake.TryAppend(readings[1..], null, [new MessageTaken(3, BrokerStateTests.Message("the torn one"), false, [new Delivery(1, 1, false, null)])])!.Value.Committed;
        }
        // The last byte of the batch is of its change: with it, the readings before it are gone too.
        var segment = Directory.EnumerateFiles(Path.Combine(_directory, "ingest"), "*.log").Order(StringComparer.Ordinal).Last();
        var bytes = await File.ReadAllBytesAsync(segment, LogTesting.Cancel);
        bytes[bytes.AsSpan().LastIndexOfAnyExcept((byte)0)] ^= 1;
        await File.WriteAllBytesAsync(segment, bytes, LogTesting.Cancel);
        await using (var life = await Life.BeginAsync(_directory))
        {
            using var read = life.Service.Log.Read(after, 10, 100_000);
            Assert.Equal(0, read.Count);
            Assert.Equal([1L, 2L], Assert.Single((await life.Journal.LoadAsync(LogTesting.Cancel)).Sessions).Queue.Select(d => d.MessageId));
            Assert.Null(life.Writer.State.Loss);
        }
    }

    [Fact]
    public async Task What_the_feed_has_no_room_for_is_read_from_the_log()
    {
        await using var life = await Life.BeginAsync(_directory, stateMiB: 256);
        await life.Journal.AppendAsync([new SessionOpened(1, "s", "c", uint.MaxValue, null)], LogTesting.Cancel);
        var payload = new byte[1024 * 1024];
        var count = 0;
        var committed = Task.CompletedTask;
        // Quicker than the writer takes them.
        while (count < 40 || (life.Feed.DroppedUpTo == 0 && count < 150))
            Assert.True(life.Journal.TryAppend([new MessageTaken(++count, new BrokerMessage("t", payload, 1, false), false, [new Delivery(1, 1, false, null)])], out committed));
        await committed.WaitAsync(LogTesting.Cancel);
        Assert.True(life.Feed.DroppedUpTo > 0, "it tests nothing");
        await Eventually.TrueAsync(() => Task.FromResult(life.Writer.Behind == 0), "all of it in the file");
        await life.StopAsync();
        await using var again = await Life.BeginAsync(_directory, stateMiB: 256);
        Assert.Equal(Enumerable.Range(1, count).Select(i => (long)i), Assert.Single((await again.Journal.LoadAsync(LogTesting.Cancel)).Sessions).Queue.Select(d => d.MessageId));
    }

    [Fact]
    public async Task A_full_state_is_an_alarm_and_what_is_delivered_makes_room_for_what_came_before()
    {
        await using var life = await Life.BeginAsync(_directory, stateMiB: 16);
        await FillAsync(life);
        for (var i = 1; i <= 10; i++)
            await life.Journal.AppendAsync([new DeliveryDone(1, i)], LogTesting.Cancel);
        await Eventually.TrueAsync(() => Task.FromResult(life.Writer.Fault is null && life.Writer.Behind == 0), "a state that is written again");
        Assert.Empty(await life.AlarmsAsync());
        await life.StopAsync();
        await using var again = await Life.BeginAsync(_directory);
        Assert.Equal(Enumerable.Range(11, 10).Select(i => (long)i), Assert.Single((await again.Journal.LoadAsync(LogTesting.Cancel)).Sessions).Queue.Select(d => d.MessageId));
    }

    [Fact]
    public async Task What_a_full_state_lacks_outlives_two_restarts()
    {
        await using (var life = await Life.BeginAsync(_directory, stateMiB: 16))
            await FillAsync(life);
        await using (var life = await Life.BeginAsync(_directory, stateMiB: 16))
        {
            Assert.Equal(20, Assert.Single((await life.Journal.LoadAsync(LogTesting.Cancel)).Sessions).Queue.Count);
            await life.Journal.AppendAsync([.. Enumerable.Range(1, 10).Select(i => new DeliveryDone(1, i))], LogTesting.Cancel);
            await Eventually.TrueAsync(() => Task.FromResult(life.Writer.Fault is null && life.Writer.Behind == 0), "a state that is written again");
        }
        await using var again = await Life.BeginAsync(_directory, stateMiB: 16);
        Assert.Equal(Enumerable.Range(11, 10).Select(i => (long)i), Assert.Single((await again.Journal.LoadAsync(LogTesting.Cancel)).Sessions).Queue.Select(d => d.MessageId));
    }

    [Fact]
    public async Task A_state_that_can_t_be_opened_is_an_alarm_and_readings_are_taken_and_trimmed_all_the_same()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "mqtt", BrokerState.FileName));
        await using var life = await Life.BeginAsync(_directory);
        var found = await life.Journal.LoadAsync(LogTesting.Cancel);
        Assert.Empty(found.Sessions);
        Assert.True(found.NextMessageId > 1_000_000_000 && found.NextSessionId > 1_000_000_000, "ids of a file that may come back");
        Assert.Equal(["sessions_lost"], await life.AlarmsAsync());
        for (var i = 0; i < 12; i++)
            await life.Journal.AppendAsync([new MessageTaken(i, new BrokerMessage("t", new byte[1024 * 1024], 1, false), true, [])], LogTesting.Cancel);
        life.Trim.Lanes(life.Service.Log.DurableSequence);
        await Eventually.TrueAsync(() => Task.FromResult(life.Service.Log.FirstSequence > 1), "a trimmed log");
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    /// <summary>With twenty messages of a mebibyte, of which twelve are in the file and the others find no room.</summary>
    private static async Task FillAsync(Life life)
    {
        await life.Journal.AppendAsync([new SessionOpened(1, "s", "c", uint.MaxValue, null)], LogTesting.Cancel);
        for (var i = 1; i <= 20; i++)
        {
            await life.Journal.AppendAsync([new MessageTaken(i, new BrokerMessage("t", new byte[1024 * 1024], 1, false), false, [new Delivery(1, 1, false, null)])], LogTesting.Cancel);
            if (i == 12)
                await Eventually.TrueAsync(() => Task.FromResult(life.Writer.Behind == 0), "twelve in the file");
        }
        await Eventually.TrueAsync(() => Task.FromResult(life.Writer.Fault is not null), "a fault");
        Assert.Equal(["sessions_wait"], await life.AlarmsAsync());
    }

    private sealed class ById : IEqualityComparer<BrokerSnapshot>
    {
        public bool Equals(BrokerSnapshot? x, BrokerSnapshot? y) => (x?.NextSessionId, x?.NextMessageId) == (y?.NextSessionId, y?.NextMessageId);

        public int GetHashCode(BrokerSnapshot obj) => obj.NextMessageId.GetHashCode();
    }

    /// <summary>The parts of a host that the broker's state needs.</summary>
    private sealed class Life : IAsyncDisposable, IHostApplicationLifetime
    {
        private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        private bool _stopped;

        private Life(string directory, int stateMiB)
        {
            var time = TimeProvider.System;
            var options = new GatewayOptions { IngestLogMiB = 256, MqttStateMiB = stateMiB };
            var data = new DataOptions { Directory = directory };
            var metrics = new IngestMetrics(_services.GetRequiredService<IMeterFactory>());
            var ledger = new Ledger();
            var loggers = LoggerFactory.Create(_ => { });
            Service = new IngestLogService(data, options, new IngestProgress(options, time), ledger, new StorageReadiness(), this, time, loggers);
            Trim = new LogTrim(() => Service.Log);
            Intake = new Intake(() => Service.Log, new MessageCache(options, metrics), ledger, metrics, 0, Feed);
            Writer = new BrokerStateWriter(data, options, Service, Feed, Trim, metrics, this, time, loggers.CreateLogger<BrokerStateWriter>());
            Journal = new BrokerJournal(Service, Intake, Writer);
        }

        public IngestLogService Service { get; }
        public LogTrim Trim { get; }
        public BrokerFeed Feed { get; } = new();
        public Intake Intake { get; }
        public BrokerStateWriter Writer { get; }
        public BrokerJournal Journal { get; }
        public CancellationToken ApplicationStarted => default;
        public CancellationToken ApplicationStopping => default;
        public CancellationToken ApplicationStopped => default;

        public static async Task<Life> BeginAsync(string directory, int stateMiB = 64, bool writes = true)
        {
            var life = new Life(directory, stateMiB);
            await life.Service.StartAsync(LogTesting.Cancel);
            if (writes)
                await life.Writer.StartAsync(LogTesting.Cancel);
            return life;
        }

        public async Task<IEnumerable<string>> AlarmsAsync()
        {
            var health = await new MqttStateHealth(Writer).CheckHealthAsync(new(), LogTesting.Cancel);
            return ((IReadOnlyList<Alarm>)health.Data["alarms"]).Select(alarm => alarm.Name);
        }

        public void StopApplication()
        {
        }

        public async Task StopAsync()
        {
            if (_stopped)
                return;
            _stopped = true;
            await Writer.StopAsync(CancellationToken.None);
            await Service.StopAsync(CancellationToken.None);
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            Writer.Dispose();
            await Service.DisposeAsync();
            await _services.DisposeAsync();
        }
    }
}
