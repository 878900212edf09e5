using System.Globalization;

namespace IoT.Benchmarks.Runner;

/// <summary>What /proc says that processes have used.</summary>
internal static class ProcessUse
{
    private const double TicksPerSecond = 100;

    /// <summary>User and system time of one process, seconds.</summary>
    public static double CpuSeconds(int pid) => StatOf(pid) is { } stat ? stat.Cpu : 0;

    /// <summary>The same of a process and its children (a postmaster and its backends), those that run now.</summary>
    public static double CpuSecondsOfFamily(int pid) =>
        CpuSeconds(pid) + Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id != 0)
            .Select(StatOf)
            .Sum(stat => stat?.Parent == pid ? stat.Value.Cpu : 0);

    /// <summary>Resident memory in MiB.</summary>
    public static double ResidentMiB(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }

    public static string LoadAverage => File.ReadAllText("/proc/loadavg").Split(' ')[0];

    private static (int Parent, double Cpu)? StatOf(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            // The name may hold anything, blanks and brackets included.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            var ticks = double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture);
            return (int.Parse(fields[1], CultureInfo.InvariantCulture), ticks / TicksPerSecond);
        }
        catch (IOException)
        {
            return null; // It has ended meanwhile.
        }
    }
}
