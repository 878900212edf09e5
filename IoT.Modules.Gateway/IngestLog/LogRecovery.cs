using System.Buffers;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// What is found when a log is opened. All segments are read through once. Damage is passed over and reported; what a crash left of the
/// last group is cleared away, so that its bytes can't come alive when later records end beside them.
/// </summary>
internal sealed class LogRecovery(ILogFiles files, IngestLogOptions options, ILogger logger)
{
    public const string SpareName = "spare.tmp";
    private const int ChunkBytes = 1024 * 1024;

    private readonly List<Segment> _segments = [];
    private readonly List<DamageReport> _damages = [];
    private RecordCodec _codec = new(Guid.Empty);
    private long _next = 1;

    public RecoveredLog Run()
    {
        RemoveLeftovers();
        var found = new List<Candidate>();
        try
        {
            Find(found);
            _codec = new RecordCodec(IdentityOf(found));
            for (var i = 0; i < found.Count; i++)
                Recover(found[i], i + 1 < found.Count ? found[i + 1].First : null);
            if (_segments.Count == 0)
                _segments.Add(First());
            else if (_segments[^1] is { Version: < SegmentHeader.Version } last && last.FirstSequence == _next)
                Renew(last);
        }
        catch
        {
            found.ForEach(candidate => candidate.File.Dispose());
            throw;
        }
        return new RecoveredLog(_codec, _segments, _next, _damages);
    }

    private void RemoveLeftovers()
    {
        var leftovers = files.List().Where(name => name is SpareName or LogIdentity.TemporaryName).ToList();
        leftovers.ForEach(files.Delete);
        // Before others get their names: a power cut may keep a renaming to come and lose these deletions.
        if (leftovers.Count > 0)
            files.SyncDirectory();
    }

    private void Find(List<Candidate> found)
    {
        foreach (var name in files.List().Order(StringComparer.Ordinal))
        {
            if (!SegmentHeader.TryParseName(name, out var first))
                continue;
            var file = files.Open(name);
            var header = new byte[SegmentHeader.Bytes];
            var length = file.Read(header, 0);
            var state = SegmentHeader.Read(header.AsSpan(0, length), out var id, out var written, out var version);
            found.Add(new Candidate(name, first, file, state, id, state == SegmentHeaderState.Sound ? (int)version : SegmentHeader.Version));
            if (state == SegmentHeaderState.Sound && version is < SegmentHeader.OldestVersion or > SegmentHeader.Version)
                throw new IngestLogUnusableException($"{name} of the ingest log has format version {version}; this program knows versions {SegmentHeader.OldestVersion} to {SegmentHeader.Version}.");
            if (state == SegmentHeaderState.Sound && written != first)
                throw new IngestLogUnusableException($"{name} of the ingest log begins with sequence {written}: the file was renamed. Give it its name back.");
        }
    }

    private Guid IdentityOf(List<Candidate> found)
    {
        var id = LogIdentity.Read(files);
        if (id is null && found.Count == 0)
            return Guid.NewGuid();
        if (id is not null && found.Count == 0)
            throw new IngestLogUnusableException("The ingest log has its log.id but no segment: segments are never all removed. Bring them back, or remove log.id to begin a new log.");
        var sound = found.Where(candidate => candidate.State == SegmentHeaderState.Sound).ToList();
        if (id is null && sound.Count == 0)
            throw new IngestLogUnusableException($"{LogIdentity.Name} of the ingest log is missing or damaged, and no segment tells the id. Bring it back from a copy.");
        var expected = id ?? sound[0].Id;
        if (sound.Find(candidate => candidate.Id != expected) is { } foreign)
            throw new IngestLogUnusableException($"{foreign.Name} belongs to the ingest log {foreign.Id}, not to {expected}. Move it away.");
        if (id is null)
        {
            LogIdentity.Write(files, expected);
            logger.IdentityRestored(expected);
        }
        return expected;
    }

    /// <summary>An old segment without records has the name that the next one needs.</summary>
    private void Renew(Segment old)
    {
        var segment = new Segment(old.FirstSequence, options.SegmentBytes) { File = files.Create(SpareName, options.SegmentBytes) };
        Activate(files, segment, _codec);
        _segments[^1] = segment;
        old.File!.Dispose();
    }

    /// <summary>The first segment of a new log comes before its id, so that an id without segments always means a loss.</summary>
    private Segment First()
    {
        var segment = new Segment(_next, options.SegmentBytes);
        segment.File = files.Create(SpareName, segment.Capacity);
        Activate(files, segment, _codec);
        LogIdentity.Write(files, _codec.LogId);
        return segment;
    }

    /// <summary>A segment has its header, durably, before it has its name.</summary>
    public static void Activate(ILogFiles files, Segment segment, RecordCodec codec)
    {
        Span<byte> header = stackalloc byte[SegmentHeader.Bytes];
        SegmentHeader.Write(header, codec.LogId, segment.FirstSequence);
        segment.File!.Write(header, 0);
        segment.File.Sync();
        files.Rename(SpareName, segment.Name);
        files.SyncDirectory();
        segment.IsActive = true;
    }

    private void Recover(Candidate candidate, long? following)
    {
        var file = candidate.File;
        var segment = new Segment(candidate.First, file.Length, candidate.Version) { File = file, IsActive = true };
        using var cursor = new SegmentCursor(file, _codec, SegmentHeader.Bytes, segment.Capacity, candidate.First, following ?? long.MaxValue);
        var broken = new BrokenBatches();
        var records = 0L;
        for (; cursor.MoveNext(); records++)
        {
            segment.Index(cursor.Header.Sequence, cursor.Offset - RecordCodec.HeaderBytes - cursor.Header.Length);
            broken.See(cursor.Header, cursor.Offset);
        }
        if (candidate.State == SegmentHeaderState.Foreign && records == 0)
            throw new IngestLogUnusableException($"{candidate.Name} in the directory of the ingest log is not a segment of it. Move it away, or bring the segment back from a copy.");

        if (following is not null && cursor.HoldsMore)
            throw new IngestLogUnusableException($"{candidate.Name} of the ingest log goes on beyond sequence {following}, where the next segment begins: they come from different copies of the log. Move the stray one away.");
        segment.DurableEnd = cursor.Offset;
        _next = cursor.Expected;
        if (following is not null)
            ReportGaps(segment, cursor, long.MaxValue);
        else if (records == 0 && candidate.State != SegmentHeaderState.Sound)
        {
            if (Abandon(segment, candidate.State))
                return;
        }
        else
            RecoverTail(segment, cursor, broken);
        if (candidate.State != SegmentHeaderState.Sound)
            RepairHeader(segment);
        _segments.Add(segment);
    }

    /// <summary>The last segment, without a sound header or a single record. True when it was empty and is gone.</summary>
    private bool Abandon(Segment segment, SegmentHeaderState state)
    {
        if (state == SegmentHeaderState.Blank && UsedEnd(segment, 0) == 0)
        {
            segment.File!.Dispose();
            files.Delete(segment.Name);
            files.SyncDirectory();
            return true;
        }
        // What was in it can't be known: none of the numbers it can have held is given out again.
        _next = segment.FirstSequence + segment.Capacity / RecordCodec.HeaderBytes;
        segment.DurableEnd = segment.Capacity;
        Report(DamageKind.Records, segment.Name, 0, segment.Capacity, segment.FirstSequence, _next - 1);
        return false;
    }

    private void RepairHeader(Segment segment)
    {
        if (segment.Capacity >= SegmentHeader.Bytes)
        {
            Span<byte> header = stackalloc byte[SegmentHeader.Bytes];
            SegmentHeader.Write(header, _codec.LogId, segment.FirstSequence);
            segment.File!.Write(header, 0);
            segment.File.SyncData();
        }
        Report(DamageKind.Header, segment.Name, 0, SegmentHeader.Bytes, segment.FirstSequence, segment.FirstSequence - 1);
    }

    /// <summary>
    /// A gap before the last group was made durable long ago: damage. One in the last group may be what a crash left of it, and becomes a
    /// skip, so that it isn't taken for damage when groups follow it. Behind the last sound record everything is cleared, and the numbers
    /// that may have been there are passed over: one of them may have been acknowledged, and stored, before its bytes went bad.
    /// What is left of an atomic batch that lacks a record goes the same way.
    /// </summary>
    private void RecoverTail(Segment segment, SegmentCursor cursor, BrokenBatches broken)
    {
        ReportGaps(segment, cursor, cursor.ConfirmedBelow);
        var unfinished = broken.With(cursor.Gaps.Where(gap => gap.FirstSequence >= cursor.ConfirmedBelow), cursor.ConfirmedBelow);
        foreach (var gap in unfinished)
            segment.Unindex(gap.FirstSequence, gap.LastSequence);
        if (unfinished.Count > 0 && unfinished[^1].ToOffset == cursor.Offset)
        {
            cursor.CutBack(unfinished[^1]);
            unfinished.RemoveAt(unfinished.Count - 1);
            segment.DurableEnd = cursor.Offset;
            _next = cursor.Expected;
        }
        foreach (var gap in unfinished)
        {
            var skip = new byte[gap.ToOffset - gap.FromOffset];
            _codec.WriteSkip(skip, gap.FirstSequence, (uint)(gap.LastSequence - gap.FirstSequence + 1));
            segment.File!.Write(skip, gap.FromOffset);
            segment.File.SyncData();
            Torn(segment, gap.FromOffset, gap.ToOffset, gap.FirstSequence, gap.LastSequence);
        }

        // After a kill what was written may be in the page cache only, and from here on it counts as durable.
        segment.File!.SyncData();
        files.SyncDirectory();
        var used = UsedEnd(segment, cursor.Offset);
        if (used <= cursor.Offset)
            return;
        if (segment.Capacity - cursor.Offset >= RecordCodec.HeaderBytes)
        {
            var lost = (uint)((used - cursor.Offset + RecordCodec.HeaderBytes - 1) / RecordCodec.HeaderBytes);
            Span<byte> skip = stackalloc byte[RecordCodec.HeaderBytes];
            _codec.WriteSkip(skip, cursor.Expected, lost);
            // First the skip, durably, then the zeros: a crash between the two must not lose that there was something.
            segment.File.Write(skip, cursor.Offset);
            segment.File.SyncData();
            segment.DurableEnd = cursor.Offset + RecordCodec.HeaderBytes;
            _next = cursor.Expected + lost;
        }
        Clear(segment, segment.DurableEnd, used);
        Torn(segment, cursor.Offset, used, cursor.Expected, _next - 1);
    }

    private static void Clear(Segment segment, long from, long to)
    {
        if (from >= to)
            return;
        var zeros = new byte[(int)Math.Min(ChunkBytes, to - from)];
        for (var offset = from; offset < to; offset += zeros.Length)
            segment.File!.Write(zeros.AsSpan(0, (int)Math.Min(zeros.Length, to - offset)), offset);
        segment.File!.SyncData();
    }

    /// <summary>The end of the last byte that is not zero, or the offset.</summary>
    private static long UsedEnd(Segment segment, long from)
    {
        var chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        var used = from;
        for (var offset = from; offset < segment.Capacity; offset += ChunkBytes)
        {
            var read = segment.File!.Read(chunk.AsSpan(0, (int)Math.Min(ChunkBytes, segment.Capacity - offset)), offset);
            if (chunk.AsSpan(0, read).LastIndexOfAnyExcept((byte)0) is >= 0 and var last)
                used = offset + last + 1;
        }
        ArrayPool<byte>.Shared.Return(chunk);
        return used;
    }

    private void ReportGaps(Segment segment, SegmentCursor cursor, long below)
    {
        foreach (var gap in cursor.Gaps.Where(gap => gap.FirstSequence < below))
        {
            var blank = gap.ToOffset == segment.Capacity && UsedEnd(segment, gap.FromOffset) == gap.FromOffset;
            Report(blank ? DamageKind.MissingSegment : DamageKind.Records, segment.Name, gap.FromOffset, blank ? gap.FromOffset : gap.ToOffset, gap.FirstSequence, gap.LastSequence);
        }
    }

    private void Report(DamageKind kind, string segment, long from, long to, long first, long last)
    {
        _damages.Add(new DamageReport(kind, segment, from, to, first, last));
        logger.Damaged(kind, segment, from, to, first, last);
    }

    private void Torn(Segment segment, long from, long to, long first, long last)
    {
        _damages.Add(new DamageReport(DamageKind.Torn, segment.Name, from, to, first, last));
        logger.TornCleared(to - from, segment.Name, from, first, last);
    }

    private sealed record Candidate(string Name, long First, ILogFile File, SegmentHeaderState State, Guid Id, int Version);
}

/// <param name="Codec">Of the log.</param>
/// <param name="Segments">In order, at least one.</param>
/// <param name="NextSequence">The first that is free.</param>
/// <param name="Damages">What was found.</param>
internal sealed record RecoveredLog(RecordCodec Codec, List<Segment> Segments, long NextSequence, List<DamageReport> Damages);
