using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Readings;
using Microsoft.AspNetCore.Http;

namespace IoT.Modules.Storage.Queries;

/// <summary>Writes a stream of readings chunk by chunk, in constant memory.</summary>
internal static class ReadingStream
{
    /// <summary>The first chunk decides the status; whatever fails later breaks the connection off, so that nobody takes a part for the whole.</summary>
    public static async Task<IResult> WriteAsync(
        HttpContext http, string contentType, long limit, Func<StreamPlace?, int, Task<Outcome<StreamPage>>> next, int chunkSize, CancellationToken cancellationToken)
    {
        var page = await next(null, (int)Math.Min(limit, chunkSize));
        if (page.Failure is { } failure)
            return failure.ToResult();
        http.Response.ContentType = $"{contentType}; charset=utf-8";
        using var output = ReadingEndpoints.FormatOf(contentType, http.Response.BodyWriter);
        output.Begin();
        while (true)
        {
            foreach (var reading in page.Value.Items)
                output.Write(reading);
            await http.Response.BodyWriter.FlushAsync(cancellationToken);
            limit -= page.Value.Items.Count;
            if (page.Value.Next is null || limit <= 0)
                break;
            page = await next(page.Value.Next, (int)Math.Min(limit, chunkSize));
            if (page.Failure is not null)
            {
                http.Abort();
                return Results.Empty;
            }
        }
        output.End(null);
        await http.Response.BodyWriter.FlushAsync(cancellationToken);
        return Results.Empty;
    }
}
