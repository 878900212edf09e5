using System.IO.Compression;

namespace IoT.Modules.Gateway.Import;

/// <summary>
/// Decompresses, and notices a file that was cut off: <see cref="GZipStream"/> takes its end for the end of the data. So another gzip
/// member follows the file, which only one that is whole lets through.
/// </summary>
/// <remarks><see cref="InvalidDataException"/> tells of damage too.</remarks>
internal sealed class WholeGzip : ForwardStream
{
    private const int BufferBytes = 64 * 1024;
    private static readonly byte[] Mark = Guid.NewGuid().ToByteArray();
    private static readonly byte[] Member = Compress(Mark);

    private readonly GZipStream _gzip;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _from;
    private int _to;
    private bool _isOver;

    public WholeGzip(Stream compressed) => _gzip = new GZipStream(new Followed(compressed), CompressionMode.Decompress);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // The last bytes so far may be the mark: they are held back.
        while (!_isOver && _to - _from <= Mark.Length)
        {
            _buffer.AsSpan(_from, _to - _from).CopyTo(_buffer);
            (_from, _to) = (0, _to - _from);
            var read = await _gzip.ReadAsync(_buffer.AsMemory(_to), cancellationToken);
            _to += read;
            if (read > 0)
                continue;
            _isOver = true;
            if (!_buffer.AsSpan(_from, _to - _from).EndsWith(Mark))
                throw new InvalidDataException("The gzip is not whole.");
            _to -= Mark.Length;
        }
        var count = Math.Min(buffer.Length, _to - _from - (_isOver ? 0 : Mark.Length));
        _buffer.AsMemory(_from, count).CopyTo(buffer);
        _from += count;
        return count;
    }

    public override async ValueTask DisposeAsync()
    {
        await _gzip.DisposeAsync();
        await base.DisposeAsync();
    }

    private static byte[] Compress(byte[] bytes)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return compressed.ToArray();
    }

    /// <summary>The file, and then the member.</summary>
    private sealed class Followed(Stream file) : ForwardStream
    {
        private int _given = -1;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_given < 0 && await file.ReadAsync(buffer, cancellationToken) is > 0 and var read)
                return read;
            _given = Math.Max(_given, 0);
            var count = Math.Min(buffer.Length, Member.Length - _given);
            Member.AsMemory(_given, count).CopyTo(buffer);
            _given += count;
            return count;
        }
    }
}

/// <summary>A stream that is read from its beginning to its end, asynchronously.</summary>
internal abstract class ForwardStream : Stream
{
    public sealed override bool CanRead => true;

    public sealed override bool CanSeek => false;

    public sealed override bool CanWrite => false;

    public sealed override long Length => throw new NotSupportedException();

    public sealed override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    public sealed override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public sealed override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public sealed override void Flush()
    {
    }

    public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public sealed override void SetLength(long value) => throw new NotSupportedException();

    public sealed override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
