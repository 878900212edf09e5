using System.Buffers;
using System.IO.Compression;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Modules.Gateway.Http;

/// <summary>Reads a request's body whole, decompressed, within a limit on what comes out: a small gzip can't become a large body.</summary>
internal static class RequestBody
{
    private const int FirstBufferBytes = 4 * 1024;

    /// <summary>A rented buffer and how much of it is the body; whoever gets it returns it once nothing refers to it any more.</summary>
    internal readonly record struct Rented(byte[] Buffer, int Length)
    {
        public ReadOnlyMemory<byte> Memory => Buffer.AsMemory(0, Length);

        public void Return() => ArrayPool<byte>.Shared.Return(Buffer);
    }

    /// <param name="request">The request.</param>
    /// <param name="limitOf">The limit in bytes for a body that begins like this.</param>
    /// <param name="maxBytes">The largest of those limits.</param>
    public static async Task<Outcome<Rented>> ReadAsync(HttpRequest request, Func<ReadOnlySpan<byte>, int> limitOf, int maxBytes, CancellationToken cancellationToken)
    {
        var encoding = request.Headers.ContentEncoding.ToString();
        if (encoding is not ("" or "identity" or "gzip"))
            return Failure.Invalid("Content-Encoding", $"{encoding} is not understood; gzip is");
        // Kestrel's own limit would break the connection off while the client still sends, so that many never see the 413; without it
        // Kestrel reads what is left of a refused body, for a few seconds, and throws it away.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (request.ContentLength > maxBytes)
            return TooLarge(maxBytes);

        await using var gzip = encoding == "gzip" ? new GZipStream(request.Body, CompressionMode.Decompress, leaveOpen: true) : null;
        var source = gzip ?? request.Body;
        var expected = gzip is null ? Math.Min(request.ContentLength ?? 0, maxBytes) : 0;
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Max(expected + 1, FirstBufferBytes));
        var length = 0;
        try
        {
            while (true)
            {
                var read = await source.ReadAsync(buffer.AsMemory(length), cancellationToken);
                if (read == 0)
                {
                    var whole = new Rented(buffer, length);
                    buffer = null;
                    return whole;
                }
                length += read;
                if (length > limitOf(buffer.AsSpan(0, length)))
                    return TooLarge(limitOf(buffer.AsSpan(0, length)));
                if (length == buffer.Length)
                    buffer = Grow(buffer);
            }
        }
        catch (InvalidDataException)
        {
            return Failure.Invalid("body", "is not gzip, as Content-Encoding says");
        }
        finally
        {
            if (buffer is not null)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static Failure TooLarge(int limit) =>
        new(FailureKind.TooLarge, $"The body is over {limit} bytes, the most that is taken for its kind; send less at a time.");

    private static byte[] Grow(byte[] buffer)
    {
        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }
}
