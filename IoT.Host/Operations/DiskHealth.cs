using IoT.Host.Pages;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IoT.Host.Operations;

/// <summary>Room on the file system of the data directory, in bytes.</summary>
internal sealed record DiskSpace(long Free, long Total)
{
    private const long LowBytes = 1024L * 1024 * 1024;
    private const long FullBytes = 96L * 1024 * 1024;
    private const int LowPercent = 10;

    public int FreePercent => Total == 0 ? 0 : (int)(Free * 100 / Total);

    /// <summary>A segment of the ingest log and what PostgreSQL needs to go on do not fit any more.</summary>
    public bool IsFull => Free < FullBytes;

    public bool IsLow => Free < LowBytes || FreePercent < LowPercent;

    /// <summary>Null when it can't be told.</summary>
    public static DiskSpace? Of(string directory)
    {
        try
        {
            var drive = new DriveInfo(Path.GetFullPath(directory));
            return new DiskSpace(drive.AvailableFreeSpace, drive.TotalSize);
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <summary>Degraded while there is little room, or none, where the host writes.</summary>
internal sealed class DiskHealth(DataOptions data) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (DiskSpace.Of(data.Directory) is not { } disk)
            return Task.FromResult(AlarmHealth.Of("can't be told", []));
        const string Remedy = "Make room where Data__Directory is: a full disk stops PostgreSQL, and then the ingest log.";
        List<Alarm> alarms = [];
        if (disk.IsFull)
            alarms.Add(new Alarm("disk_full", AlarmLevel.Critical, "there is no room left to write", Remedy));
        else if (disk.IsLow)
            alarms.Add(new Alarm("disk_low", AlarmLevel.Warning, "there is little room left to write", Remedy));
        return Task.FromResult(AlarmHealth.Of($"{Show.Bytes(disk.Free)} of {Show.Bytes(disk.Total)} free", alarms));
    }
}
