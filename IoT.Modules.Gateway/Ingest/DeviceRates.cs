using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>What one device may send, and how fast devices that nobody has registered may turn up.</summary>
internal sealed class DeviceRates(GatewayOptions options, TimeProvider time)
{
    // A site that starts up brings its devices at once; made-up ones go on coming.
    private const int NewDevicesBurstMinutes = 10;

    private readonly TokenBucketRule _readings = new(options.DeviceReadingsPerSecond, TimeSpan.FromSeconds(1), options.DeviceBurst, time);
    private readonly TokenBucketRule _newDevices =
        new(options.MaxNewDevicesPerMinute, TimeSpan.FromMinutes(1), options.MaxNewDevicesPerMinute * NewDevicesBurstMinutes, time);

    private long _newDevicesBucket;

    /// <summary>Readings that the device brings in; false when it is over its rate, and for how long it will be.</summary>
    public bool TryTake(DeviceEntry device, int count, out TimeSpan wait) => _readings.TryTake(ref device.RateBucket, count, out wait);

    /// <summary>The same without asking, for what can't wait.</summary>
    public void Take(DeviceEntry device, int count) => _readings.Take(ref device.RateBucket, count);

    /// <summary>Further readings of a request that is let in; below zero, those that did not get in after all.</summary>
    public void TakeMore(DeviceEntry device, int count) => _readings.TakeMore(ref device.RateBucket, count);

    /// <summary>A device that is not known yet; false when too many have turned up of late, and for how long that will be so.</summary>
    public bool TryTakeNew(out TimeSpan wait) => _newDevices.TryTake(ref _newDevicesBucket, 1, out wait);
}
