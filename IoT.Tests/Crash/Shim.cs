using System.Globalization;
using IoT.Tests.Support;

namespace IoT.Tests.Crash;

/// <summary>
/// The library that stands between a host and its disk and clock (<c>Shim/shim.c</c>, compiled by <c>./test</c>), and its switches. They are files
/// in a folder, so nothing in the host knows of it.
/// </summary>
internal sealed class Shim : IDisposable
{
    private const string Fail = "fail", Lie = "lie", Slow = "slow", Trace = "trace";

    private readonly string _folder = Directory.CreateTempSubdirectory("iot-shim-").FullName;

    /// <summary>For the platform whose host it is loaded into.</summary>
    public (string Key, string Value)[] Settings => [("LD_PRELOAD", Library), ("IOT_TEST_SHIM", _folder)];

    private static string Library { get; } = Path.Combine(Repository.Root, "artifacts", "crash", "libshim.so") is var path && File.Exists(path)
        ? path
        : throw new InvalidOperationException($"{path} is not there: ./test compiles it.");

    /// <summary>fdatasync fails from now on.</summary>
    public void FailSyncs() => File.Create(In(Fail)).Dispose();

    /// <summary>Segments are written in the host's memory only from now on, though fdatasync succeeds.</summary>
    public void LoseWrites() => File.Create(In(Lie)).Dispose();

    /// <summary>fdatasync takes a quarter of a second from now on.</summary>
    public void SlowDown() => File.Create(In(Slow)).Dispose();

    /// <summary>The next start finds a disk that works.</summary>
    public void Repair()
    {
        File.Delete(In(Fail));
        File.Delete(In(Lie));
        File.Delete(In(Slow));
    }

    /// <summary>Somebody sets the host's clock: it is ahead of ours by so much.</summary>
    public void SetClock(TimeSpan ahead)
    {
        // In one piece: it is read at any moment.
        File.WriteAllText(In("clock.next"), ((long)ahead.TotalSeconds).ToString(CultureInfo.InvariantCulture));
        File.Move(In("clock.next"), In("clock"), overwrite: true);
    }

    public void BeginTrace() => File.Create(In(Trace)).Dispose();

    public IReadOnlyList<TraceEvent> EndTrace()
    {
        var ended = In("trace.ended");
        File.Move(In(Trace), ended);
        return [.. File.ReadLines(ended).Select(TraceEvent.Parse)];
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);
}

internal enum TraceKind
{
    Written = 'W',
    SyncBegins = 'B',
    SyncEnded = 'F',
    Sending = 'S',
}

/// <param name="Kind">What happened.</param>
/// <param name="Descriptor">Of the segment or the socket.</param>
/// <param name="Bytes">Written or sent.</param>
/// <param name="Succeeded">False for an fdatasync that failed.</param>
internal sealed record TraceEvent(TraceKind Kind, int Descriptor, byte[] Bytes, bool Succeeded)
{
    public static TraceEvent Parse(string line)
    {
        var parts = line.Split(' ');
        var kind = (TraceKind)parts[0][0];
        return new TraceEvent(
            kind, int.Parse(parts[1], CultureInfo.InvariantCulture), kind is TraceKind.Written or TraceKind.Sending ? Convert.FromHexString(parts[2]) : [], parts[2] != "-1");
    }
}
