namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// Finds, among the sound records of a segment, those whose atomic batch is not whole: one that goes on and is not followed by its next,
/// or one that follows and has none before it. Any record of a batch may be the one that a crash has left out.
/// </summary>
internal sealed class BrokenBatches
{
    private readonly List<Gap> _parts = [];
    private (long Sequence, long Offset) _begin;
    private (long Sequence, long Offset) _last;
    private bool _isOpen;
    private bool _isHeadless;

    /// <param name="header">Of the next sound record.</param>
    /// <param name="end">Offset of its end.</param>
    public void See(RecordHeader header, long end)
    {
        var goesOnHere = _isOpen && header.Follows && header.Sequence == _last.Sequence + 1;
        if (_isOpen && !goesOnHere)
            Close(isBroken: true);
        if (!_isOpen && (header.GoesOn || header.Follows))
        {
            _begin = (header.Sequence, end - header.Length - RecordCodec.HeaderBytes);
            (_isOpen, _isHeadless) = (true, header.Follows);
        }
        _last = (header.Sequence, end);
        if (_isOpen && !header.GoesOn)
            Close(isBroken: _isHeadless);
    }

    /// <summary>After the last record: the gaps and what is left of batches between them, from the sequence on, as few parts as possible, in order.</summary>
    public List<Gap> With(IEnumerable<Gap> gaps, long fromSequence)
    {
        if (_isOpen)
            Close(isBroken: true);
        var merged = new List<Gap>();
        foreach (var part in _parts.Where(part => part.FirstSequence >= fromSequence).Concat(gaps).OrderBy(part => part.FirstSequence))
        {
            if (merged.Count > 0 && merged[^1].ToOffset == part.FromOffset)
                merged[^1] = merged[^1] with { LastSequence = part.LastSequence, ToOffset = part.ToOffset };
            else
                merged.Add(part);
        }
        return merged;
    }

    private void Close(bool isBroken)
    {
        if (isBroken)
            _parts.Add(new Gap(_begin.Sequence, _last.Sequence, _begin.Offset, _last.Offset));
        _isOpen = false;
    }
}
