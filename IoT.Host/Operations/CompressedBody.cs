using System.IO.Compression;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Host.Operations;

/// <summary>
/// The body of an answer that may be compressed: holds back the first bytes until there are more than the threshold, and only then is it
/// worth the while. What was written comes out compressed at each flush, so streams stay streams.
/// </summary>
internal sealed class CompressedBody(HttpResponse response, IHttpResponseBodyFeature inner, int threshold) : Stream, IHttpResponseBodyFeature
{
    private enum Form
    {
        Undecided,
        Plain,
        Compressed,
    }

    private readonly MemoryStream _held = new();
    private Form _form;
    private PipeWriter? _writer;
    private GZipStream? _gzip;
    private CountingStream? _compressed;

    /// <summary>Bytes before and after; null when it was not compressed.</summary>
    public (long Before, long After)? Saved => _gzip is null ? null : (_before, _compressed!.Count);

    private long _before;

    Stream IHttpResponseBodyFeature.Stream => this;

    PipeWriter IHttpResponseBodyFeature.Writer => _writer ??= PipeWriter.Create(this, new StreamPipeWriterOptions(leaveOpen: true));

    // An error answer may take the place of what is held back: Response.Clear does it through SetLength.
    public override bool CanSeek => _form == Form.Undecided;

    public override bool CanRead => false;

    public override bool CanWrite => true;

    public override long Length => _held.Length;

    public override long Position
    {
        get => _held.Position;
        set => throw new NotSupportedException();
    }

    public override void SetLength(long value)
    {
        if (_form != Form.Undecided || value != 0)
            throw new NotSupportedException();
        _held.SetLength(0);
        _writer = null;
    }

    /// <summary>The rest of it. Not after an exception: then what is held back must not look like an answer.</summary>
    public async Task FinishAsync()
    {
        if (_writer is not null)
            await _writer.CompleteAsync();
        if (_form == Form.Undecided && _held.Length > 0)
            await inner.Stream.WriteAsync(_held.GetBuffer().AsMemory(0, (int)_held.Length), response.HttpContext.RequestAborted);
        if (_gzip is not null)
            await _gzip.DisposeAsync();
    }

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (!MayBeCompressed())
            _form = _form == Form.Undecided ? Form.Plain : _form;
        // Once the headers are out, they can't say any more that the body is compressed.
        if (_form != Form.Undecided)
            await inner.StartAsync(cancellationToken);
    }

    public async Task CompleteAsync()
    {
        await FinishAsync();
        _form = Form.Plain;
        (_writer, _gzip) = (null, null);
        await inner.CompleteAsync();
    }

    public void DisableBuffering()
    {
        _form = _form == Form.Undecided && _held.Length == 0 ? Form.Plain : _form;
        inner.DisableBuffering();
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        if (_form == Form.Undecided && _held.Length == 0 && !MayBeCompressed())
            _form = Form.Plain;
        return _form == Form.Plain
            ? inner.SendFileAsync(path, offset, count, cancellationToken)
            : SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_form == Form.Undecided && !MayBeCompressed())
            await DecideAsync(Form.Plain, cancellationToken);
        if (_form == Form.Undecided && _held.Length + buffer.Length <= threshold)
        {
            _held.Write(buffer.Span);
            return;
        }
        if (_form == Form.Undecided)
            await DecideAsync(Form.Compressed, cancellationToken);
        _before += buffer.Length;
        await Target.WriteAsync(buffer, cancellationToken);
    }

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        // A flush comes at the end of every JSON answer, however small: it decides nothing.
        if (_form == Form.Undecided && (_held.Length > 0 || MayBeCompressed()))
            return;
        await Target.FlushAsync(cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => throw new NotSupportedException("Answers are written asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Answers are written asynchronously.");

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    private Stream Target => _gzip ?? inner.Stream;

    private async Task DecideAsync(Form form, CancellationToken cancellationToken)
    {
        _form = form;
        if (form == Form.Compressed)
        {
            response.Headers.ContentEncoding = "gzip";
            response.Headers.ContentLength = null;
            _compressed = new CountingStream(inner.Stream);
            _gzip = new GZipStream(_compressed, CompressionLevel.Fastest, leaveOpen: true);
        }
        _before += _held.Length;
        await Target.WriteAsync(_held.GetBuffer().AsMemory(0, (int)_held.Length), cancellationToken);
        _held.SetLength(0);
    }

    private bool MayBeCompressed()
    {
        var headers = response.Headers;
        if (response.StatusCode is < 200 or 204 or 304 || headers.ContentEncoding.Count > 0 || headers.ContentRange.Count > 0
            || headers.CacheControl.ToString().Contains("no-transform", StringComparison.OrdinalIgnoreCase)
            || !ResponseCompression.IsCompressible(response.ContentType))
            return false;
        if (!headers.Vary.ToString().Contains("Accept-Encoding", StringComparison.OrdinalIgnoreCase))
            headers.Append("Vary", "Accept-Encoding");
        return headers.ContentLength is not { } length || length > threshold;
    }

    /// <summary>Counts what goes through.</summary>
    private sealed class CountingStream(Stream target) : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Count += buffer.Length;
            return target.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => target.FlushAsync(cancellationToken);

        public override void Flush() => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
