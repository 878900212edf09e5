using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace IoT.Benchmarks.Load;

/// <summary>The readings that everything here sends or copies: 200 bytes of JSON with three metrics.</summary>
internal static class Samples
{
    public const int ReadingBytes = 200;
    public const string DataType = "machine";

    public static string DeviceId(int device) => device.ToString("'bench-'00000", CultureInfo.InvariantCulture);

    /// <summary>The whole reading, as devices send it.</summary>
    public static byte[] Reading(int device, int variant)
    {
        var start = $$"""{"device_id":"{{DeviceId(device)}}","data_type":"{{DataType}}","payload":""";
        return Encoding.ASCII.GetBytes(start + PayloadText(device, variant, ReadingBytes - start.Length - 1) + "}");
    }

    /// <summary>Its payload alone, as it is stored.</summary>
    public static byte[] Payload(int device, int variant)
    {
        var reading = Reading(device, variant);
        var start = reading.AsSpan().IndexOf("\"payload\":"u8) + "\"payload\":".Length;
        return reading[start..^1];
    }

    /// <summary>PUBLISH, QoS 1.</summary>
    public static byte[] Publish(int device, int variant, ushort packetId)
    {
        var topic = Encoding.ASCII.GetBytes($"devices/{DeviceId(device)}/data");
        var reading = Reading(device, variant);
        var length = 2 + topic.Length + 2 + reading.Length;
        var packet = new byte[3 + length];
        packet[0] = 0x32;
        // Two bytes of length: 128 to 16,383.
        packet[1] = (byte)(length & 127 | 128);
        packet[2] = (byte)(length >> 7);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(3), (ushort)topic.Length);
        topic.CopyTo(packet.AsSpan(5));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(5 + topic.Length), packetId);
        reading.CopyTo(packet.AsSpan(7 + topic.Length));
        return packet;
    }

    /// <summary>CONNECT of MQTT 3.1.1, clean session, no keep-alive.</summary>
    public static byte[] Connect(string clientId, string user, string password)
    {
        List<byte> body = [0, 4, (byte)'M', (byte)'Q', (byte)'T', (byte)'T', 4, 0xC2, 0, 0];
        foreach (var text in new[] { clientId, user, password })
        {
            body.AddRange([(byte)(text.Length >> 8), (byte)text.Length]);
            body.AddRange(Encoding.ASCII.GetBytes(text));
        }
        return [0x10, checked((byte)body.Count), .. body];
    }

    /// <summary>POST /api/v1/data with a single reading.</summary>
    public static byte[] Post(int device, int variant, string key) =>
    [
        .. Encoding.ASCII.GetBytes($"POST /api/v1/data HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {ReadingBytes}\r\n\r\n"),
        .. Reading(device, variant),
    ];

    private static string PayloadText(int device, int variant, int length)
    {
        var values = string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"temperature":{{20 + (device * 31 + variant * 17) % 6000 / 100.0:0.00}},"vibration":{{(device * 13 + variant * 7) % 5000 / 1000.0:0.000}},"pressure":{{950 + (device + variant * 3) % 1000 / 10.0:0.0}},"unit":" """).TrimEnd();
        return values + new string('x', length - values.Length - 2) + "\"}";
    }
}
