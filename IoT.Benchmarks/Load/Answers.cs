using System.Buffers.Text;

namespace IoT.Benchmarks.Load;

/// <summary>PUBACKs.</summary>
internal static class MqttAnswers
{
    /// <summary>CONNACK: accepted.</summary>
    public static byte[] Welcome { get; } = [0x20, 2, 0, 0];

    public static int Read(ReadOnlySpan<byte> received, out int consumed)
    {
        var answers = received.Length / 4;
        for (var i = 0; i < answers; i++)
        {
            if (received[i * 4] != 0x40 || received[i * 4 + 1] != 2)
                throw new InvalidOperationException($"Not a PUBACK: {Convert.ToHexString(received.Slice(i * 4, 4))}");
        }
        consumed = answers * 4;
        return answers;
    }
}

/// <summary>HTTP answers, 200 only.</summary>
internal static class HttpAnswers
{
    public static int Read(ReadOnlySpan<byte> received, out int consumed)
    {
        consumed = 0;
        var answers = 0;
        while (LengthOfFirst(received[consumed..]) is var length and > 0)
        {
            consumed += length;
            answers++;
        }
        return answers;
    }

    /// <summary>0 while it is not whole.</summary>
    private static int LengthOfFirst(ReadOnlySpan<byte> received)
    {
        var headers = received.IndexOf("\r\n\r\n"u8);
        if (headers < 0)
            return 0;
        if (!received.StartsWith("HTTP/1.1 200"u8))
            throw new InvalidOperationException($"Not 200: {System.Text.Encoding.UTF8.GetString(received)}");
        var body = headers + 4;
        var contentLength = received[..body].IndexOf("Content-Length: "u8);
        if (contentLength >= 0)
        {
            if (!Utf8Parser.TryParse(received[(contentLength + "Content-Length: ".Length)..], out int length, out _))
                throw new InvalidOperationException("A Content-Length that is no number.");
            return received.Length >= body + length ? body + length : 0;
        }
        // Chunked, then: our answers are small, and no chunk of theirs holds this.
        var end = received[body..].IndexOf("0\r\n\r\n"u8);
        return end < 0 ? 0 : body + end + "0\r\n\r\n".Length;
    }
}
