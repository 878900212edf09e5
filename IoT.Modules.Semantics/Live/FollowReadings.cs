using System.Collections.Concurrent;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Semantics.Live;

/// <summary>Leaves what was stored, and what has become of devices, with the latest values. It never waits and never fails the one who tells.</summary>
internal sealed partial class FollowReadings(LatestValues latest, Metrics metrics, LiveFaults faults, TimeProvider time, ILogger<FollowReadings> logger)
    : INotificationHandler<ReadingsStored>, INotificationHandler<DeviceChanged>
{
    private readonly ConcurrentBag<(PayloadMembers Payloads, List<(Metric Metric, LiveValue Value)> Members)> _idle = [];

    public Task Handle(ReadingsStored notification, CancellationToken cancellationToken)
    {
        // Without ids they are found in the database, by whoever writes latest values.
        if (notification.Ids is not { } ids)
            return Task.CompletedTask;
        try
        {
            var worker = _idle.TryTake(out var idle) ? idle : (Payloads: new PayloadMembers(metrics), Members: []);
            var now = time.GetTimestamp();
            for (var i = 0; i < notification.Readings.Count; i++)
            {
                var reading = notification.Readings[i];
                worker.Payloads.Read(reading.Payload.Span, worker.Members);
                latest.Add(reading.Device.Uuid, reading.Device.Id, reading.Timestamp.Ticks, ids[i], worker.Members, now);
            }
            _idle.Add(worker);
        }
        catch (Exception exception)
        {
            // A bug here is the engine's trouble, not ingest's.
            latest.Lose();
            faults.Report("follow", exception.Message);
            LogFailed(exception);
        }
        return Task.CompletedTask;
    }

    public Task Handle(DeviceChanged notification, CancellationToken cancellationToken)
    {
        latest.Set(notification.DeviceId, notification.Type, notification.Location, !notification.IsRemoved, time.GetTimestamp());
        return Task.CompletedTask;
    }

    [LoggerMessage(4010, LogLevel.Error, "Stored readings could not be followed; they will be looked for in the database")]
    private partial void LogFailed(Exception exception);
}
