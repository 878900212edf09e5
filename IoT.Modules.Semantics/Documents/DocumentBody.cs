using System.Buffers;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Modules.Semantics.Documents;

/// <summary>A request's body as one piece of UTF-8, up to <c>Semantics__MaxDocumentMiB</c>. Its Content-Type is what the address says anyway.</summary>
internal static class DocumentBody
{
    private const int FirstBytes = 64 * 1024;

    public static async Task<Outcome<ReadOnlyMemory<byte>>> ReadAsync(HttpContext http, SemanticsOptions options)
    {
        var most = options.MaxDocumentMiB * 1024L * 1024;
        var tooLarge = new Failure(FailureKind.TooLarge, $"The body is too large; at most {options.MaxDocumentMiB} MiB are taken (Semantics__MaxDocumentMiB).");
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = most;
        if (http.Request.ContentLength > most)
            return tooLarge;
        try
        {
            var body = new ArrayBufferWriter<byte>((int)(http.Request.ContentLength ?? FirstBytes) + 1);
            while (true)
            {
                var read = await http.Request.Body.ReadAsync(body.GetMemory(), http.RequestAborted);
                if (read == 0)
                    return body.WrittenMemory;
                body.Advance(read);
                if (body.WrittenCount > most)
                    return tooLarge;
            }
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return tooLarge;
        }
    }
}
