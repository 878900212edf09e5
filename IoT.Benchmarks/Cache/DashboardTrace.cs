using System.Globalization;

namespace IoT.Benchmarks.Cache;

/// <summary>One thing that happened: somebody asked for a key, or a reading of a device was stored.</summary>
/// <param name="Client">Who asked; negative: a reading was stored.</param>
/// <param name="Key">The key, <c>KIND:DEVICE</c>, or the device.</param>
internal readonly record struct TraceEvent(int AtMs, int Client, string Key);

/// <summary>What dashboards ask for and what is stored meanwhile, in order of time.</summary>
internal static class DashboardTrace
{
    private const string Recorded = "IoT.Benchmarks/Cache/dashboard.trace";

    /// <summary>Lines <c>milliseconds client key</c>; a client of - is a reading that was stored.</summary>
    public static List<TraceEvent> Read()
    {
        var events = new List<TraceEvent>();
        foreach (var line in File.ReadLines(Recorded).Where(line => !line.StartsWith('#')))
        {
            var parts = line.Split(' ', 3);
            events.Add(new TraceEvent(int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1] == "-" ? -1 : int.Parse(parts[1], CultureInfo.InvariantCulture), parts[2]));
        }
        return events;
    }

    /// <summary>
    /// Ten minutes of 200 devices that send every 5 to 60 seconds and six dashboards of 8 to 30 values, each asked for one after the other
    /// every 10 seconds, while three people look at one device or another, and now and then a dashboard is changed.
    /// </summary>
    public static List<TraceEvent> Make()
    {
        const int minutes = 10, devices = 200, dashboards = 6, people = 3;
        var random = new Random(20_261_125);
        var events = new List<TraceEvent>();
        for (var device = 0; device < devices; device++)
        {
            var period = random.Next(5_000, 60_000);
            for (var at = random.Next(period); at < minutes * 60_000; at += period + random.Next(-200, 200))
                events.Add(new TraceEvent(at, -1, Device(device)));
        }
        for (var dashboard = 0; dashboard < dashboards; dashboard++)
        {
            var widgets = Enumerable.Range(0, random.Next(8, 31)).Select(_ => random.Next(devices)).ToList();
            for (var round = random.Next(10_000); round < minutes * 60_000; round += 10_000)
            {
                if (random.Next(60) == 0)
                    widgets[random.Next(widgets.Count)] = random.Next(devices);
                var at = round;
                foreach (var widget in widgets)
                    events.Add(new TraceEvent(at += random.Next(5, 40), dashboard, $"latest:{Device(widget)}"));
            }
        }
        for (var person = 0; person < people; person++)
        {
            for (var at = random.Next(5_000); at < minutes * 60_000;)
            {
                // A page asks for its parts, then for the latest values every two seconds.
                var device = Device(random.Next(devices));
                events.Add(new TraceEvent(at, dashboards + person, $"latest:{device}"));
                events.Add(new TraceEvent(at + 20, dashboards + person, $"charts:{device}"));
                var until = at + random.Next(3_000, 30_000);
                for (at += 2_000; at < until; at += 2_000)
                    events.Add(new TraceEvent(at, dashboards + person, $"latest:{device}"));
            }
        }
        return [.. events.OrderBy(e => e.AtMs)];
    }

    private static string Device(int number) => string.Create(CultureInfo.InvariantCulture, $"device-{number}");
}
