using System.Diagnostics.Metrics;
using System.Text;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using IoT.Tests.Gateway.IngestLog;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace IoT.Tests.Gateway.Ingest;

/// <summary>Readings with message ids on their way into a log whose disk the test holds up.</summary>
public sealed class IntakeTests : IAsyncDisposable
{
    private readonly SimulatedDisk _disk = new();
    private readonly ManualResetEventSlim _mayRun = new(true);
    private readonly DeviceDirectory _directory = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly DurableLog _log;
    private Exception? _fault;

    public IntakeTests()
    {
        _log = _disk.Open();
        _disk.Before = (operation, _) =>
        {
            if (operation != "fdatasync")
                return;
            _mayRun.Wait(TestContext.Current.CancellationToken);
            if (_fault is not null)
                throw _fault;
        };
    }

    [Fact]
    public async Task A_duplicate_waits_for_the_commit_of_its_original()
    {
        var intake = IntakeOf(new GatewayOptions());
        _mayRun.Reset();
        var original = intake.TryAppend([Reading("a", "id")])!.Value;
        // Another group: its own commit is not what the duplicate below waits for.
        var duplicate = intake.TryAppend([Reading("a", "id")])!.Value;
        Assert.Equal((0, 1), (original.Duplicates, duplicate.Duplicates));
        Assert.False(original.Committed.IsCompleted);
        Assert.False(duplicate.Committed.IsCompleted);

        _mayRun.Set();
        await original.Committed.WaitAsync(LogTesting.Cancel);
        await duplicate.Committed.WaitAsync(LogTesting.Cancel);
        Assert.Equal(1, _log.DurableSequence);
        Assert.True(intake.TryAppend([Reading("a", "id")])!.Value.Committed.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_duplicate_of_what_never_reached_the_disk_fails_with_it()
    {
        var intake = IntakeOf(new GatewayOptions());
        _mayRun.Reset();
        var original = intake.TryAppend([Reading("a", "id")])!.Value;
        var duplicate = intake.TryAppend([Reading("a", "id")])!.Value;
        _fault = new IOException("The disk is broken.");
        _mayRun.Set();

        await Assert.ThrowsAsync<IngestLogFailedException>(() => original.Committed.WaitAsync(LogTesting.Cancel));
        await Assert.ThrowsAsync<IngestLogFailedException>(() => duplicate.Committed.WaitAsync(LogTesting.Cancel));
        await Assert.ThrowsAsync<IngestLogFailedException>(() => intake.TryAppend([Reading("a", "id")])!.Value.Committed.WaitAsync(LogTesting.Cancel));
    }

    [Fact]
    public async Task Of_many_at_once_with_one_id_one_is_logged()
    {
        var intake = IntakeOf(new GatewayOptions());
        var taken = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => intake.TryAppend([Reading("a", "id"), Reading("b", "id")])!.Value)));
        await Task.WhenAll(taken.Select(t => t.Committed)).WaitAsync(LogTesting.Cancel);
        Assert.Equal(126, taken.Sum(t => t.Duplicates));
        Assert.Equal(2, _log.DurableSequence);
    }

    [Fact]
    public async Task What_the_log_has_no_room_for_is_not_remembered()
    {
        var intake = IntakeOf(new GatewayOptions());
        while (intake.TryAppend([Reading("a", null, 10_000)]) is { } taken)
            await taken.Committed.WaitAsync(LogTesting.Cancel);
        Assert.Null(intake.TryAppend([Reading("a", "id", 10_000)]));
        _log.TrimTo(_log.DurableSequence + 1);
        await _log.WaitForRoomAsync(LogTesting.Cancel);
        Assert.Equal(0, (await intake.AppendAsync([Reading("a", "id", 10_000)], [], LogTesting.Cancel)).Duplicates);
    }

    [Theory]
    [InlineData(100, 64, 100)]
    [InlineData(1_000_000, 1, 3_900)]
    public void Memory_for_ids_is_bounded_by_count_and_bytes(int size, int mebibytes, int expected)
    {
        var cache = new MessageCache(new GatewayOptions { MessageCacheSize = size, MessageCacheMiB = mebibytes }, new IngestMetrics(_services.GetRequiredService<IMeterFactory>()));
        var device = _directory.FindOrAdd("a");
        for (var i = 0; i < 20_000; i++)
            cache.Add(device, $"{i}".PadLeft(64, '0'), Task.CompletedTask);

        Assert.InRange(cache.Count, expected * 0.9, expected * 1.1);
        Assert.InRange(cache.Bytes, 1, mebibytes * 1024 * 1024);
        Assert.NotNull(cache.Find(device, $"{19_999}".PadLeft(64, '0')));
        Assert.Null(cache.Find(device, $"{0}".PadLeft(64, '0')));
    }

    [Fact]
    public void Records_with_and_without_an_id_are_read_back()
    {
        foreach (var id in new[] { null, "x", new string('ü', 128), string.Concat(Enumerable.Repeat("😀", 128)) })
        {
            foreach (var (compressAbove, compressed) in new[] { (int.MaxValue, 0), (200, 0), (199, 15) })
            {
                var reading = Reading("a", id, 200);
                var record = RecordOf(reading, compressAbove);
                Assert.Equal((id is null ? 1 : 2) + compressed, record[0]);
                Assert.Equal(compressed > 0, record.Length < RecordOf(reading, int.MaxValue).Length);
                var read = ReadingRecord.Read(record, _directory, utf8 => Encoding.UTF8.GetString(utf8));
                Assert.Equal(reading with { Payload = default }, read with { Payload = default });
                Assert.Equal(reading.Payload.ToArray(), read.Payload.ToArray());
            }
        }
    }

    [Fact]
    public void A_payload_that_compression_would_not_make_smaller_is_kept_as_it_is()
    {
        var noise = new byte[100];
        new Random(7).NextBytes(noise);
        foreach (var bytes in new[] { "{}"u8.ToArray(), Encoding.UTF8.GetBytes($$"""{"v":"{{Convert.ToBase64String(noise)}}"}""") })
        {
            var reading = Reading("a", null) with { Payload = bytes };
            var record = RecordOf(reading, 1);
            var read = ReadingRecord.Read(record, _directory, utf8 => Encoding.UTF8.GetString(utf8));
            Assert.Equal(bytes, read.Payload.ToArray());
            Assert.True(record.Length <= RecordOf(reading, int.MaxValue).Length);
        }
    }

    [Fact]
    public void A_kind_that_this_version_does_not_know_is_refused()
    {
        var record = RecordOf(Reading("a", null), int.MaxValue);
        record[0] = 99;
        Assert.Contains("kind 99", Assert.Throws<InvalidDataException>(() => ReadingRecord.Read(record, _directory, utf8 => Encoding.UTF8.GetString(utf8))).Message, StringComparison.Ordinal);
    }

    private byte[] RecordOf(in Reading reading, int compressAbove)
    {
        using var batch = _log.NewBatch();
        ReadingRecord.Append(batch, reading, compressAbove);
        return batch.Encoded[RecordCodec.HeaderBytes..].ToArray();
    }

    public async ValueTask DisposeAsync()
    {
        _mayRun.Set();
        await _log.DisposeAsync();
        await _services.DisposeAsync();
        _mayRun.Dispose();
    }

    private Intake IntakeOf(GatewayOptions options)
    {
        var metrics = new IngestMetrics(_services.GetRequiredService<IMeterFactory>());
        return new Intake(() => _log, new MessageCache(options, metrics), new Ledger(), metrics, options.CompressLogAboveBytes);
    }

    private Reading Reading(string device, string? messageId, int bytes = 2) =>
        new(_directory.FindOrAdd(device), new DateTime(2026, 11, 23, 0, 0, 0, DateTimeKind.Utc), "t", Encoding.UTF8.GetBytes("{" + new string(' ', bytes - 2) + "}"), messageId);
}
