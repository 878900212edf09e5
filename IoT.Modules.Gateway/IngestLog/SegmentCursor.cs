using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>
/// Walks the records of one segment in order, for recovery and for readers. A record that is not what it should be is passed over: by its
/// length when its header is sound, else to the next offset at which a whole sound record of a higher sequence stands. Memory is
/// bounded by the largest record.
/// </summary>
/// <param name="file">The segment.</param>
/// <param name="codec">The log's.</param>
/// <param name="offset">Where a record starts, or should.</param>
/// <param name="end">Offset up to which may be read.</param>
/// <param name="expected">Sequence of that record.</param>
/// <param name="stopAt">The sequence that is known to be elsewhere: what is missing before it is a gap. MaxValue: unknown.</param>
internal sealed class SegmentCursor(ILogFile file, RecordCodec codec, long offset, long end, long expected, long stopAt) : IDisposable
{
    private const int WindowBytes = 256 * 1024;

    // Two checksums that nobody outside can compute vouch for a record; this only keeps an absurd number from being believed.
    private const long LongestJump = 1L << 32;

    private byte[] _window = ArrayPool<byte>.Shared.Rent(WindowBytes);
    private long _windowStart;
    private int _windowLength;
    private int _payloadStart;
    private long _gapOffset;
    private long _gapSequence;
    private bool _inGap;

    /// <summary>Of the record that <see cref="MoveNext"/> found.</summary>
    public RecordHeader Header { get; private set; }

    /// <summary>Valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Payload => _window.AsSpan(_payloadStart, Header.Length);

    /// <summary>Where the next record starts; at the end, where the sound part ends.</summary>
    public long Offset { get; private set; } = offset;

    /// <summary>The next sequence.</summary>
    public long Expected { get; private set; } = expected;

    /// <summary>Everything below was durable before the last group was written.</summary>
    public long ConfirmedBelow { get; private set; } = expected;

    public List<Gap> Gaps { get; } = [];

    /// <summary>Whether the record at which it stopped is here all the same.</summary>
    public bool HoldsMore
    {
        get
        {
            var head = Window(Offset, RecordCodec.HeaderBytes);
            return head.Length == RecordCodec.HeaderBytes && codec.TryReadHeader(head, out var header) && header.Sequence == Expected;
        }
    }

    public bool MoveNext()
    {
        while (Expected < stopAt)
        {
            var head = Window(Offset, RecordCodec.HeaderBytes);
            if (head.Length == RecordCodec.HeaderBytes && codec.TryReadHeader(head, out var header)
                && header.Sequence == Expected && header.Length <= end - Offset - RecordCodec.HeaderBytes)
            {
                var size = RecordCodec.HeaderBytes + header.Length;
                if (IsWhole(Offset, header))
                {
                    CloseGap();
                    Header = header;
                    _payloadStart = (int)(Offset - _windowStart) + RecordCodec.HeaderBytes;
                    Offset += size;
                    Expected += header.IsSkip ? header.Place : 1;
                    if (header.IsSkip)
                        continue;
                    ConfirmedBelow = Math.Max(ConfirmedBelow, header.Sequence - header.Place);
                    return true;
                }

                OpenGap();
                Offset += size;
                Expected++;
                continue;
            }

            OpenGap();
            if (Resynchronise())
                continue;
            Offset = _gapOffset;
            Expected = _gapSequence;
            if (stopAt == long.MaxValue)
                return false;
            Gaps.Add(new Gap(Expected, stopAt - 1, Offset, end));
            _inGap = false;
            Expected = stopAt;
            return false;
        }
        CloseGap();
        return false;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_window);
        _window = [];
    }

    private void OpenGap()
    {
        if (_inGap)
            return;
        (_inGap, _gapOffset, _gapSequence) = (true, Offset, Expected);
    }

    private void CloseGap()
    {
        if (!_inGap)
            return;
        _inGap = false;
        Gaps.Add(new Gap(_gapSequence, Expected - 1, _gapOffset, Offset));
    }

    /// <summary>After the end: what is found behind this place counts as not there.</summary>
    public void CutBack(Gap part) => (Offset, Expected) = (part.FromOffset, part.FirstSequence);

    /// <summary>Moves to the next sound record behind the offset; false when there is none.</summary>
    private bool Resynchronise()
    {
        var lowest = Expected + 1;
        var range = (ulong)Math.Min(LongestJump, stopAt - lowest);
        for (var start = Offset + 1; start + RecordCodec.HeaderBytes <= end;)
        {
            var window = Window(start, WindowBytes);
            if (window.Length < RecordCodec.HeaderBytes)
                return false;
            var at = 0;
            while ((at = Candidate(window, at, lowest, range)) >= 0)
            {
                if (codec.TryReadHeader(window[at..], out var header) && header.Length <= end - start - at - RecordCodec.HeaderBytes)
                    break;
                at++;
            }
            if (at < 0)
            {
                start += window.Length - RecordCodec.HeaderBytes + 1;
                continue;
            }
            start += at;
            if (codec.TryReadHeader(window[at..], out var found) && IsWhole(start, found))
            {
                Offset = start;
                Expected = found.Sequence;
                return true;
            }
            start++;
        }
        return false;
    }

    private bool IsWhole(long at, RecordHeader header)
    {
        var size = RecordCodec.HeaderBytes + header.Length;
        var whole = Window(at, size);
        return whole.Length == size && codec.ChecksumOf(whole[RecordCodec.HeaderBytes..]) == header.PayloadChecksum;
    }

    /// <summary>The first place whose bytes 8 to 15 are a sequence in the range; -1 when there is none. One load and one comparison a byte.</summary>
    private static int Candidate(ReadOnlySpan<byte> window, int from, long lowest, ulong range)
    {
        var used = window[from..].IndexOfAnyExcept((byte)0);
        if (used < 0)
            return -1;
        ref var first = ref MemoryMarshal.GetReference(window);
        for (var at = Math.Max(from, from + used - RecordCodec.HeaderBytes); at + RecordCodec.HeaderBytes <= window.Length; at++)
        {
            var sequence = Unsafe.ReadUnaligned<long>(ref Unsafe.Add(ref first, at + 8));
            if (!BitConverter.IsLittleEndian)
                sequence = BinaryPrimitives.ReverseEndianness(sequence);
            if ((ulong)(sequence - lowest) < range)
                return at;
        }
        return -1;
    }

    /// <summary>The bytes from the offset on: as many as asked for, fewer only at the end.</summary>
    private ReadOnlySpan<byte> Window(long from, int count)
    {
        count = (int)Math.Min(count, Math.Max(0, end - from));
        if (from < _windowStart || from + count > _windowStart + _windowLength)
        {
            if (count > _window.Length)
            {
                ArrayPool<byte>.Shared.Return(_window);
                _window = [];
                _window = ArrayPool<byte>.Shared.Rent(count);
            }
            _windowStart = from;
            _windowLength = file.Read(_window.AsSpan(0, (int)Math.Min(_window.Length, Math.Max(0, end - from))), from);
            count = Math.Min(count, _windowLength);
        }
        return _window.AsSpan((int)(from - _windowStart), count);
    }
}

/// <summary>Sequences that were expected in a range of bytes and are not there.</summary>
internal readonly record struct Gap(long FirstSequence, long LastSequence, long FromOffset, long ToOffset);
