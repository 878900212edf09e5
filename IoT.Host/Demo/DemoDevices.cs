namespace IoT.Host.Demo;

/// <summary>One simulated device: what it is and what it would measure at a moment.</summary>
/// <param name="Payload">The payload's members at a time (UTC); null while the device is off or its sensor is dead.</param>
internal sealed record DemoDevice(string Id, string Name, string Type, string Location, string DataType, Func<DateTime, Dictionary<string, double>?> Payload);

/// <summary>A small factory: eight rooms, eight machines, four power meters; some of them with a fault.</summary>
internal static class DemoDevices
{
    public static IReadOnlyList<DemoDevice> All { get; } = [.. Rooms(), .. Machines(), .. Meters()];

    private static IEnumerable<DemoDevice> Rooms()
    {
        string[] rooms = ["Hall A", "Hall B", "Store", "Office", "Laboratory", "Server room", "Paint shop", "Canteen"];
        for (var i = 0; i < rooms.Length; i++)
        {
            var (n, room) = (i, rooms[i]);
            var setpoint = room == "Server room" ? 23 : room == "Store" ? 16 : 20.5;
            yield return new DemoDevice($"demo-room-{n + 1}", $"{room} climate", "ClimateSensor", Slug(room), "climate", at =>
            {
                // Fault: the store's sensor is dead for four minutes of every half hour.
                if (room == "Store" && at.TimeOfDay.TotalMinutes % 30 < 4)
                    return null;
                var temperature = setpoint + 1.8 * Daily(at, peakHour: 15) + 0.4 * Wave(at, minutes: 17 + n, phase: n) + Noise(at, n, 0.08);
                // Fault: the server room's cooling trips now and then.
                if (room == "Server room")
                    temperature += 9 * Bump(at, everyMinutes: 45, lengthMinutes: 9);
                var humidity = 46 - 1.4 * (temperature - setpoint) + 5 * Wave(at, minutes: 53, phase: n) + Noise(at, n + 50, 0.4);
                return new() { ["temperature"] = Math.Round(temperature, 2), ["humidity"] = Math.Round(Math.Clamp(humidity, 5, 99), 1) };
            });
        }
    }

    private static IEnumerable<DemoDevice> Machines()
    {
        string[] machines = ["Lathe 1", "Lathe 2", "Mill 1", "Mill 2", "Press", "Compressor", "Conveyor", "Packer"];
        for (var i = 0; i < machines.Length; i++)
        {
            var (n, machine) = (i, machines[i]);
            var rated = 2.5 + 1.7 * n;
            yield return new DemoDevice($"demo-machine-{n + 1}", machine, "Machine", n < 4 ? "hall-a" : "hall-b", "machine", at =>
            {
                var cycle = (at.TimeOfDay.TotalMinutes + 3 * n) % (8 + n) / (8 + n);
                var isRunning = machine is "Compressor" or "Conveyor" || cycle < 0.7;
                var load = isRunning ? 0.75 + 0.2 * Wave(at, minutes: 2 + n * 0.4, phase: n) : 0.04;
                var vibration = isRunning ? 1.1 + 0.5 * load + Math.Abs(Noise(at, n + 100, 0.12)) : 0.05 + Math.Abs(Noise(at, n + 100, 0.01));
                // Fault: a bearing of the compressor wears, is greased, and wears again.
                if (machine == "Compressor")
                    vibration += 6 * (at.TimeOfDay.TotalMinutes % 60 / 60) * (at.TimeOfDay.TotalMinutes % 60 / 60);
                return new() { ["vibration"] = Math.Round(vibration, 3), ["power"] = Math.Round(rated * load + Math.Abs(Noise(at, n + 150, 0.05)), 3) };
            });
        }
    }

    private static IEnumerable<DemoDevice> Meters()
    {
        string[] feeds = ["Hall A feed", "Hall B feed", "Ventilation", "Lighting"];
        for (var i = 0; i < feeds.Length; i++)
        {
            var n = i;
            yield return new DemoDevice($"demo-meter-{n + 1}", feeds[n], "PowerMeter", n < 2 ? (n == 0 ? "hall-a" : "hall-b") : "roof", "energy", at =>
            {
                var power = (n + 1) * 6 + 4 * Daily(at, peakHour: 11) + 1.5 * Wave(at, minutes: 7, phase: n) + Noise(at, n + 200, 0.2);
                // Fault: the ventilation's meter sags when the mains do.
                var voltage = 231 + 1.5 * Wave(at, minutes: 31, phase: n) + Noise(at, n + 250, 0.3) - (n == 2 ? 26 * Bump(at, everyMinutes: 25, lengthMinutes: 2) : 0);
                return new() { ["power"] = Math.Round(Math.Max(0, power), 3), ["voltage"] = Math.Round(voltage, 1) };
            });
        }
    }

    private static string Slug(string name) => name.ToLowerInvariant().Replace(' ', '-');

    private static double Daily(DateTime at, double peakHour) => Math.Cos((at.TimeOfDay.TotalHours - peakHour) / 24 * 2 * Math.PI);

    private static double Wave(DateTime at, double minutes, double phase) => Math.Sin(at.TimeOfDay.TotalMinutes / minutes * 2 * Math.PI + phase);

    // A smooth rise and fall once in a while, 0 to 1.
    private static double Bump(DateTime at, double everyMinutes, double lengthMinutes)
    {
        var into = at.TimeOfDay.TotalMinutes % everyMinutes;
        return into < lengthMinutes ? Math.Sin(into / lengthMinutes * Math.PI) : 0;
    }

    // The same moment gives the same noise, so that history and live readings are of one piece.
    private static double Noise(DateTime at, int series, double size) =>
        size * (new Random(HashCode.Combine(at.Ticks / TimeSpan.TicksPerSecond, series)).NextDouble() * 2 - 1);
}
