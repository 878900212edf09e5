using System.Text;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Limits;

/// <summary>What admission makes of rates and of devices that nobody knows.</summary>
public sealed class AdmissionTests
{
    private static readonly Sender Stranger = new(SenderKind.Anonymous);
    private static readonly Sender Admin = new(SenderKind.Admin);

    private readonly ManualTime _time = new();
    private readonly DeviceDirectory _directory = new();
    private readonly ReadingParser _parser;
    private readonly Admission _admission;

    public AdmissionTests()
    {
        var options = new GatewayOptions { DeviceReadingsPerSecond = 10, DeviceBurst = 100, MaxNewDevicesPerMinute = 5 };
        _parser = new ReadingParser(options, _directory, _time);
        _admission = new Admission(_directory, new SecurityOptions { AnonymousDevices = true }, new DeviceRates(options, _time), _time);
    }

    [Fact]
    public void A_batch_larger_than_the_burst_gets_in_whole_once()
    {
        var batch = Batch(Enumerable.Repeat("d", 1_000));
        Assert.Equal(1_000, _admission.Admit(batch, Admin, null).Readings.Count);

        var again = _admission.Admit(batch, Admin, null);
        Assert.Equal((0, 1_000, 1_000, Denial.OverRate), (again.Readings.Count, again.Rejected.Count, again.OverRate, again.Denial));
        Assert.Equal("device_id: d is over its rate; send again in 91 s", again.WaitReason);
        _time.Pass(again.Wait);
        Assert.Equal(1_000, _admission.Admit(batch, Admin, null).Readings.Count);
    }

    [Fact]
    public void Of_several_devices_only_those_over_their_rate_are_turned_away()
    {
        _admission.Admit(Batch(Enumerable.Repeat("b", 200)), Admin, null);
        var admitted = _admission.Admit(Batch(Enumerable.Range(0, 300).Select(n => n % 3 == 0 ? "a" : n % 3 == 1 ? "b" : "c")), Admin, null);
        Assert.Equal(["a", "c"], admitted.Readings.Select(r => r.Device.Id).Distinct());
        Assert.Equal(200, admitted.Readings.Count);
        Assert.Equal(100, admitted.OverRate);
        Assert.All(admitted.Rejected, r => Assert.Equal((1, "device_id: b is over its rate; send again in 11 s"), (r.Index % 3, r.Error)));

        // Each has paid for its own: a hundred of a hundred, so that nothing is left.
        Assert.Equal(3, _admission.Admit(Batch(["a", "b", "c"]), Admin, null).OverRate);
    }

    [Fact]
    public void What_can_not_wait_gets_in_and_is_paid_for_later()
    {
        _admission.Admit(Batch(Enumerable.Repeat("d", 200)), Admin, "d");
        Assert.Equal(50, _admission.Admit(Batch(Enumerable.Repeat("d", 50)), Admin, "d", mayOwe: true).Readings.Count);
        Assert.InRange(_admission.Admit(Batch(["d"]), Admin, "d").Wait.TotalSeconds, 15, 15.01);
    }

    [Fact]
    public void Made_up_devices_are_limited_and_leave_nothing_behind()
    {
        for (var n = 0; n < 100_000; n++)
            _admission.Admit(Batch([$"made-up-{n}"]), Stranger, null);
        Assert.Equal(50, _directory.All.Count());

        var more = _admission.Admit(Batch(Enumerable.Range(0, 1_000).Select(n => $"made-up-too-{n}")), Stranger, null);
        Assert.Equal((0, 1_000, Denial.OverRate), (more.Readings.Count, more.OverRate, more.Denial));
        Assert.InRange(more.Wait, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(12.1));
        Assert.Equal(50, _directory.All.Count());

        // Those who are known go on, and so does an admin.
        Assert.Single(_admission.Admit(Batch(["made-up-7"]), Stranger, null).Readings);
        Assert.Equal(100, _admission.Admit(Batch(Enumerable.Range(0, 100).Select(n => $"admins-{n}")), Admin, null).Readings.Count);
        _time.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(5, _admission.Admit(Batch(Enumerable.Range(0, 100).Select(n => $"later-{n}")), Stranger, null).Readings.Count);
    }

    [Fact]
    public void A_device_that_brings_nothing_is_not_remembered()
    {
        Assert.Equal(Denial.None, _admission.MayWrite(Stranger, "asked", out var device, out _));
        Assert.Null(device);
        _admission.Admit(_parser.ParseJson("""{"device_id":"wrong","data_type":"t","payload":{"x":"\u0000"}}"""u8.ToArray()), Stranger, null);
        _admission.Admit(Batch(["other"]), Stranger, "topic");
        Assert.Empty(_directory.All);

        var known = _directory.FindOrAdd("known");
        var admitted = _admission.Admit(Batch(["new", "known", "new"]), Stranger, null);
        Assert.Equal(["known", "new"], _directory.All.Select(d => d.Id).Order());
        _admission.Withdraw(admitted);
        Assert.Same(known, Assert.Single(_directory.All));
        Assert.Equal(100, _admission.Admit(Batch(Enumerable.Repeat("known", 100)), Stranger, null).Readings.Count);
    }

    [Fact]
    public void A_rate_costs_no_memory_per_reading()
    {
        _directory.FindOrAdd("d");
        var batch = Batch(Enumerable.Repeat("d", 10_000));
        Allocated(batch);
        var takenIn = Allocated(batch, TimeSpan.FromDays(1));
        // A reading takes some 64 bytes in the list of them, which has room for all from the beginning.
        Assert.InRange(takenIn, 0, 10_000 * 64 * 2);
        // One that is turned away takes an entry and a slice of the body beside its room there; these lists double as they grow.
        Assert.InRange(Allocated(batch), 0, 10_000 * (64 + 32 * 4));
    }

    private long Allocated(ParsedBatch batch, TimeSpan pause = default)
    {
        _time.Pass(pause);
        var before = GC.GetAllocatedBytesForCurrentThread();
        _admission.Admit(batch, Admin, null);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private ParsedBatch Batch(IEnumerable<string> devices) =>
        _parser.ParseNdjson(Encoding.UTF8.GetBytes(string.Join('\n', devices.Select(d => $$$"""{"device_id":"{{{d}}}","data_type":"t","payload":{}}"""))));
}
