using System.Globalization;
using System.Text;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;

namespace IoT.Tests.Gateway;

/// <summary>Random readings and damage done to them, the same for the same seed.</summary>
internal sealed class ReadingSamples(int seed)
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 4, 0, 0, TimeSpan.Zero);

    private static readonly string[] Texts =
        ["", "a", "temperature", "a.b", "ü", "温度", "\U0001F321", "\t", "\u2028", "\uFFFE", "\"", "\\", "/", "\u007F", "x\u0001y", " "];

    private static readonly string[] Numbers =
        ["0", "-0", "1", "-1.5", "23.456", "1e308", "1E-400", "-1.7976931348623157e308", "5e-324", "0.1", "123456789012345678901234567890", "1e+2"];

    // What a careless or hostile sender puts where a value, or any byte, should be.
    private static readonly string[] Poison =
    [
        "NaN", "Infinity", "-Infinity", "1e309", "1e200000", "\\u0000", "\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00", "'", "\"", "\\", "{", "}",
        "[", "]", ",", ":", "\0", "\n", "\u0001", "null", "01", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":", "1e", "/*x*/", "\\x", "\\u12",
    ];

    private static readonly byte[][] BadBytes =
        [[0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF0, 0x9F], [0xFF], [0xEF, 0xBB, 0xBF], [0xFE]];

    private readonly Random _random = new(seed);

    public static ReadingParser Parser(GatewayOptions? options = null, DeviceDirectory? devices = null) =>
        new(options ?? new GatewayOptions(), devices ?? new DeviceDirectory(), new FixedTime(Now));

    /// <summary>
    /// Payloads that the parser lets through, most of them out of damaged bodies. PostgreSQL has to take each as <c>jsonb</c>.
    /// </summary>
    public static IEnumerable<ReadOnlyMemory<byte>> AcceptedPayloads(int seed, int bodies)
    {
        var samples = new ReadingSamples(seed);
        var parser = Parser();
        for (var i = 0; i < bodies; i++)
        {
            var body = samples.Body();
            for (var damage = samples._random.Next(4); damage > 0; damage--)
                body = samples.Damaged(body);
            foreach (var reading in (i % 4 == 0 ? parser.ParseNdjson(body) : parser.ParseJson(body)).Readings)
                yield return reading.Payload;
        }
    }

    /// <summary>A sound reading, and its payload as written.</summary>
    public (string Json, string Payload) Reading()
    {
        var payload = Object(_random.Next(1, 6));
        var members = new List<string> { $"\"data_type\":{Quoted("type" + _random.Next(20))}", $"\"payload\":{Space()}{payload}" };
        if (Maybe())
            members.Add($"{Quoted("device_id")}:{Quoted("device-" + _random.Next(100))}");
        if (Maybe())
            members.Add(string.Create(CultureInfo.InvariantCulture, $"\"timestamp\":\"{Now.AddSeconds(-_random.Next(100_000)):yyyy-MM-ddTHH:mm:ss.fffffff}Z\""));
        if (Maybe())
            members.Add($"\"message_id\":{Quoted("m" + _random.Next())}");
        if (Maybe())
            members.Add("\"unknown\":" + Value(2));
        _random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(members));
        return ($"{{{Space()}{string.Join(Space() + ",", members)}{Space()}}}", payload);
    }

    public byte[] Body()
    {
        var readings = Enumerable.Range(0, _random.Next(1, 5)).Select(_ => Reading().Json).ToArray();
        return Encoding.UTF8.GetBytes(_random.Next(3) switch
        {
            0 => readings[0],
            1 => $"[{string.Join(",", readings)}]",
            _ => string.Join("\n", readings),
        });
    }

    public byte[] Damaged(byte[] body)
    {
        var at = _random.Next(body.Length + 1);
        var length = Math.Min(body.Length - at, _random.Next(_random.Next(1, 12)));
        return _random.Next(6) switch
        {
            0 => body[..at],
            1 => [.. body[..at], .. body[(at + length)..]],
            2 => [.. body[..at], (byte)_random.Next(256), .. body[Math.Min(at + 1, body.Length)..]],
            3 => [.. body[..at], .. Encoding.UTF8.GetBytes(Poison[_random.Next(Poison.Length)]), .. body[(at + length)..]],
            4 => [.. body[..at], .. BadBytes[_random.Next(BadBytes.Length)], .. body[(at + length)..]],
            _ => Encoding.UTF8.GetBytes(PoisonedValue(Encoding.UTF8.GetString(body))),
        };
    }

    private string PoisonedValue(string json)
    {
        var colons = Enumerable.Range(0, json.Length).Where(i => json[i] == ':').ToArray();
        if (colons.Length == 0)
            return json;
        var after = colons[_random.Next(colons.Length)] + 1;
        var end = json.IndexOfAny([',', '}', ']'], after);
        return end < 0 ? json : json[..after] + Poison[_random.Next(Poison.Length)] + json[end..];
    }

    private bool Maybe() => _random.Next(2) == 0;

    private string Space() => _random.Next(8) switch { 0 => " ", 1 => "\t", _ => "" };

    private string Object(int depth) => "{" + string.Join(",", Enumerable.Range(0, _random.Next(5))
        .Select(i => $"{Quoted(Texts[_random.Next(Texts.Length)] + i)}{Space()}:{Space()}{Value(depth - 1)}")) + "}";

    private string Value(int depth) => _random.Next(depth > 0 ? 7 : 5) switch
    {
        0 => Quoted(Texts[_random.Next(Texts.Length)]),
        1 => "true",
        2 => "null",
        3 or 4 => Numbers[_random.Next(Numbers.Length)],
        5 => Object(depth),
        _ => "[" + string.Join(",", Enumerable.Range(0, _random.Next(4)).Select(_ => Value(depth - 1))) + "]",
    };

    private string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var unit in text)
        {
            if (char.IsAsciiLetterOrDigit(unit) && _random.Next(10) > 0 || unit > 0x7F && Maybe() && !char.IsSurrogate(unit))
                quoted.Append(unit);
            else
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
        }
        return quoted.Append('"').ToString();
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
