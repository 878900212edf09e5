using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Connections.Features;

namespace IoT.Modules.Gateway.Import;

/// <summary>An import as the API shows it.</summary>
/// <param name="State"><c>running</c>, <c>done</c>, or <c>ended</c>: its sender has gone or the host has stopped, and what was accepted is stored.</param>
/// <param name="Lines">Lines read so far that hold something.</param>
/// <param name="Rejected">How many of them were not taken.</param>
internal sealed record ImportState(
    long Id, string By, DateTime StartedAt, DateTime? EndedAt, string State, long Bytes, long? TotalBytes, long Lines, long Accepted, long Duplicates, long Rejected);

/// <summary>The imports that run, and the last that have ended.</summary>
internal sealed class Imports(TimeProvider time)
{
    /// <summary>More at once would only wait for one another.</summary>
    public const int MostRunning = 2;

    public const string Done = "done";
    public const string Ended = "ended";

    private const string Runs = "running";
    private const int MostKept = 100;

    private static readonly TimeSpan TimeToReadTheAnswer = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly List<ITimer> _ending = [];
    private readonly LinkedList<Running> _all = new();
    private long _lastId;

    internal sealed class Running(long id, string by, DateTime startedAt, long? totalBytes)
    {
        public long Bytes, Lines, Accepted, Duplicates, Rejected, LastLine;
        public bool IsCut;
        public DateTime? EndedAt;
        public string How = Runs;

        public ImportState State => new(
            id, by, startedAt, EndedAt, How, Volatile.Read(ref Bytes), totalBytes, Volatile.Read(ref Lines), Volatile.Read(ref Accepted), Volatile.Read(ref Duplicates), Volatile.Read(ref Rejected));
    }

    /// <summary>Newest first.</summary>
    public IReadOnlyList<ImportState> All
    {
        get
        {
            lock (_lock)
                return [.. _all.Select(import => import.State)];
        }
    }

    /// <summary>Null when as many run as may.</summary>
    public Running? TryBegin(string by, long? totalBytes)
    {
        lock (_lock)
        {
            if (_all.Count(import => import.How == Runs) >= MostRunning)
                return null;
            var import = new Running(++_lastId, by, time.GetUtcNow().UtcDateTime, totalBytes);
            _all.AddFirst(import);
            // Those that run are among the newest.
            while (_all.Count > MostKept)
                _all.RemoveLast();
            return import;
        }
    }

    public void End(Running import, string how)
    {
        lock (_lock)
            (import.EndedAt, import.How) = (time.GetUtcNow().UtcDateTime, how);
    }

    /// <summary>While the host stops: its server would wait for the rest of a body, which may not come before everybody else has gone.</summary>
    public void EndSoon(IConnectionLifetimeFeature connection)
    {
        lock (_lock)
            _ending.Add(time.CreateTimer(_ => connection.Abort(), null, TimeToReadTheAnswer, Timeout.InfiniteTimeSpan));
    }
}
