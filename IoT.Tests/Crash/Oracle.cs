using IoT.Tests.Support;
using Npgsql;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>What became of what was sent. Each entry names a device and a number.</summary>
internal sealed record Verdict(int Acknowledged, int Stored, IReadOnlyList<string> Lost, IReadOnlyList<string> Twice, IReadOnlyList<string> Invented, IReadOnlyList<string> Disordered)
{
    public bool IsClean => Lost.Count == 0 && Twice.Count == 0 && Invented.Count == 0 && Disordered.Count == 0;

    public override string ToString() =>
        $"{Acknowledged} acknowledged, {Stored} stored; lost {Show(Lost)}; twice {Show(Twice)}; invented {Show(Invented)}; out of order {Show(Disordered)}";

    private static string Show(IReadOnlyList<string> entries) => entries.Count == 0 ? "none" : $"{entries.Count} ({string.Join(", ", entries.Take(10))})";
}

/// <summary>
/// Holds what the clients know against what PostgreSQL has: every acknowledged number is there, none twice, none that was not sent, and
/// each device's in the order in which they were sent. What was sent and not acknowledged may be there or not.
/// </summary>
internal static class Oracle
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Waits until nothing is missing but what may be, or until there is no hope, and then judges.</summary>
    /// <param name="connectionString">Of the database.</param>
    /// <param name="devices">All whose readings it may hold.</param>
    /// <param name="gone">The acknowledged reading that is known to be gone, as a verdict names it.</param>
    public static async Task<Verdict> SettledAsync(string connectionString, IReadOnlyCollection<Numbers> devices, string? gone = null)
    {
        var acknowledged = devices.Sum(d => d.AcknowledgedCount);
        try
        {
            // Counting is cheap; what was sent but not acknowledged is counted too, so that it takes judging to know.
            await Eventually.TrueAsync(async () => await CountAsync(connectionString) >= acknowledged - (gone is null ? 0 : 1), "as many stored as acknowledged", Patience);
            await Eventually.TrueAsync(async () => (await JudgeAsync(connectionString, devices)).Lost.All(name => name == gone), "every acknowledged reading in the database", Patience);
        }
        catch (TimeoutException)
        {
            // The verdict says what is missing.
        }
        return await JudgeAsync(connectionString, devices);
    }

    public static async Task<Verdict> JudgeAsync(string connectionString, IReadOnlyCollection<Numbers> devices)
    {
        var acknowledged = devices.ToDictionary(d => d.Device.Id, d => d.Acknowledged);
        var stored = await StoredAsync(connectionString);
        List<string> lost = [], twice = [], invented = [], disordered = [];
        foreach (var device in devices)
        {
            var id = device.Device.Id;
            var numbers = stored.GetValueOrDefault(id, []);
            var seen = new HashSet<int>();
            var last = 0;
            foreach (var number in numbers)
            {
                if (!seen.Add(number))
                    twice.Add($"{id}/{number}");
                else if (number < last)
                    disordered.Add($"{id}/{number} after {last}");
                if (number < 1 || number > device.Sent)
                    invented.Add($"{id}/{number}");
                last = number;
            }
            lost.AddRange(acknowledged[id].Where(number => !seen.Contains(number)).Order().Select(number => $"{id}/{number}"));
        }
        invented.AddRange(stored.Keys.Except(acknowledged.Keys));
        return new Verdict(acknowledged.Values.Sum(a => a.Count), stored.Values.Sum(s => s.Count), lost, twice, invented, disordered);
    }

    public static Task<long> CountAsync(string connectionString) => Database.ScalarAsync<long>(connectionString, "select count(*) from device_data");

    /// <summary>The numbers of each device, in order of insertion.</summary>
    private static async Task<Dictionary<string, List<int>>> StoredAsync(string connectionString)
    {
        var stored = new Dictionary<string, List<int>>();
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(
            "select coalesce(external_id, device_id::text), (payload->>'n')::int from device_data left join devices on devices.id = device_id order by device_data.id", connection);
        await using var rows = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        while (await rows.ReadAsync(TestContext.Current.CancellationToken))
        {
            var id = rows.GetString(0);
            if (!stored.TryGetValue(id, out var numbers))
                stored[id] = numbers = [];
            numbers.Add(rows.GetInt32(1));
        }
        return stored;
    }
}
