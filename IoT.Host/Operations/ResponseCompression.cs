using System.Diagnostics.Metrics;
using IoT.Host.Pipeline;
using IoT.Modules.Gateway;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace IoT.Host.Operations;

/// <summary>
/// Compresses data for programs, over a threshold, for those who accept gzip. Not the pages: they hold form tokens and what a person
/// typed, which together with their sizes over HTTPS can tell a listener the token (BREACH). Not event streams, whose events would wait.
/// </summary>
internal static class ResponseCompression
{
    private static readonly HashSet<string> Types = new(StringComparer.OrdinalIgnoreCase)
    {
        "application/json", "application/problem+json", "application/x-ndjson", "application/n-triples", "text/csv", "text/plain", "text/turtle", "text/n3",
    };

    public static bool IsCompressible(string? contentType) =>
        contentType is not null && Types.Contains(contentType.AsSpan().TrimStart().ToString().Split(';', 2)[0].TrimEnd());

    public static void UseCompression(this WebApplication app)
    {
        var threshold = app.Services.GetRequiredService<GatewayOptions>().CompressHttpAboveBytes;
        if (threshold == 0)
            return;
        var bytes = app.Services.GetRequiredService<IMeterFactory>().Create(RequestTelemetry.Name)
            .CreateCounter<long>("iot.http.compression.bytes", "By", "Bytes of answers that were compressed, by stage: before or after");
        app.Use(async (http, next) =>
        {
            if (!AcceptsGzip(http.Request))
            {
                await next(http);
                return;
            }
            var inner = http.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
            await using var body = new CompressedBody(http.Response, inner, threshold);
            http.Features.Set<IHttpResponseBodyFeature>(body);
            try
            {
                await next(http);
                await body.FinishAsync();
            }
            finally
            {
                http.Features.Set(inner);
            }
            if (body.Saved is not { } saved)
                return;
            bytes.Add(saved.Before, new KeyValuePair<string, object?>("stage", "before"));
            bytes.Add(saved.After, new KeyValuePair<string, object?>("stage", "after"));
        });
    }

    private static bool AcceptsGzip(HttpRequest request)
    {
        if (request.Headers.AcceptEncoding.Count == 0 || !StringWithQualityHeaderValue.TryParseList(request.Headers.AcceptEncoding, out var accepted))
            return false;
        // What is named decides over what the asterisk says.
        var named = accepted.FirstOrDefault(encoding => encoding.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase))
            ?? accepted.FirstOrDefault(encoding => encoding.Value == "*");
        return named is not null && named.Quality is null or > 0;
    }
}
