using System.Globalization;
using System.Text;

namespace IoT.Tests.Crash;

/// <summary>Reads from a trace whether each acknowledgement left after an fdatasync which began after its reading was written.</summary>
internal static class CoveredAcknowledgements
{
    /// <summary>Numbers whose acknowledgement left too early, or whose reading was never written.</summary>
    /// <param name="trace">In order.</param>
    /// <param name="acknowledgements">Number of the reading, and where in the trace its acknowledgement is sent.</param>
    public static IReadOnlyList<int> Early(IReadOnlyList<TraceEvent> trace, IEnumerable<(int Number, int At)> acknowledgements)
    {
        var durable = DurableAt(trace);
        return [.. acknowledgements.Where(a => !durable.TryGetValue(a.Number, out var at) || a.At < at).Select(a => a.Number)];
    }

    /// <summary>Packet ids of the PUBACKs, and where in the trace each is sent.</summary>
    public static IEnumerable<(int Number, int At)> Pubacks(IReadOnlyList<TraceEvent> trace)
    {
        for (var i = 0; i < trace.Count; i++)
        {
            var bytes = trace[i].Bytes;
            if (trace[i].Kind != TraceKind.Sending || bytes.Length < 4 || bytes[0] != 0x40)
                continue;
            for (var at = 0; at + 4 <= bytes.Length && bytes[at] == 0x40; at += 2 + bytes[at + 1])
                yield return (bytes[at + 2] << 8 | bytes[at + 3], i);
        }
    }

    /// <summary>Where in the trace each HTTP 200 is sent.</summary>
    public static IEnumerable<int> Oks(IReadOnlyList<TraceEvent> trace) =>
        Enumerable.Range(0, trace.Count).Where(i => trace[i].Kind == TraceKind.Sending && trace[i].Bytes.AsSpan().StartsWith("HTTP/1.1 200"u8));

    /// <summary>Where in the trace each number became durable.</summary>
    private static Dictionary<int, int> DurableAt(IReadOnlyList<TraceEvent> trace)
    {
        var durable = new Dictionary<int, int>();
        List<(int Descriptor, int Number)> written = [], syncing = [];
        for (var i = 0; i < trace.Count; i++)
        {
            var (kind, descriptor, bytes, succeeded) = trace[i];
            switch (kind)
            {
                case TraceKind.Written:
                    written.AddRange(NumbersIn(bytes).Select(n => (descriptor, n)));
                    break;
                case TraceKind.SyncBegins:
                    syncing.AddRange(written.Where(w => w.Descriptor == descriptor));
                    written.RemoveAll(w => w.Descriptor == descriptor);
                    break;
                case TraceKind.SyncEnded:
                    foreach (var (_, number) in syncing.Where(s => succeeded && s.Descriptor == descriptor))
                        durable.TryAdd(number, i);
                    syncing.RemoveAll(s => s.Descriptor == descriptor);
                    break;
            }
        }
        return durable;
    }

    private static IEnumerable<int> NumbersIn(byte[] records)
    {
        const string member = "\"n\":";
        var text = Encoding.Latin1.GetString(records);
        for (var at = text.IndexOf(member, StringComparison.Ordinal); at >= 0; at = text.IndexOf(member, at + 1, StringComparison.Ordinal))
            yield return int.Parse(text[(at + member.Length)..text.IndexOf(',', at)], CultureInfo.InvariantCulture);
    }
}
