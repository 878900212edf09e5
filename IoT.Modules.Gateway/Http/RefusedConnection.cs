using System.IO.Pipelines;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Connections;

namespace IoT.Modules.Gateway.Http;

/// <summary>A connection over the limit: 503 to its first request, without anything of a server behind it.</summary>
internal static class RefusedConnection
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private const string Body = """{"type":"urn:iot:problem:busy","title":"Too busy","status":503,"detail":"Too many connections at once; try again in a moment."}""";

    private static readonly byte[] Answer = System.Text.Encoding.ASCII.GetBytes(string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $$"""
        HTTP/1.1 503 Service Unavailable
        Content-Type: application/problem+json
        Retry-After: {{Problems.RetryAfterSeconds}}
        Connection: close
        Content-Length: {{Body.Length}}

        {{Body}}
        """).ReplaceLineEndings("\r\n"));

    public static async Task AnswerAsync(ConnectionContext connection, TimeProvider time)
    {
        using var enough = new CancellationTokenSource(Longest, time);
        try
        {
            // Closed with something unread, it would be reset, and the answer lost with it.
            var request = await connection.Transport.Input.ReadAsync(enough.Token);
            connection.Transport.Input.AdvanceTo(request.Buffer.End);
            await connection.Transport.Output.WriteAsync(Answer, enough.Token);
            await connection.Transport.Output.CompleteAsync();
            // Until the client has read it and closes.
            while (true)
            {
                var rest = await connection.Transport.Input.ReadAsync(enough.Token);
                connection.Transport.Input.AdvanceTo(rest.Buffer.End);
                if (rest.IsCompleted)
                    return;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // Gone, or not interested.
        }
    }
}
