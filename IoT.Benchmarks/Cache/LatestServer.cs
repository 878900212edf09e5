using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace IoT.Benchmarks.Cache;

/// <summary>The reference for reading: a Kestrel that answers the same bytes to whoever asks. A process of its own; it ends with its stdin.</summary>
internal sealed class LatestServer : IAsyncDisposable
{
    public const string Role = "latest-server";

    private readonly Process _process;

    private LatestServer(Process process) => _process = process;

    public static async Task<LatestServer> StartAsync(int port, byte[] answer, CancellationToken cancellationToken)
    {
        var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(LatestServer).Assembly.Location, Role, port.ToString(CultureInfo.InvariantCulture), Convert.ToBase64String(answer)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var server = new LatestServer(process);
        if (await process.StandardOutput.ReadLineAsync(cancellationToken) == "ready")
            return server;
        await server.DisposeAsync();
        throw new InvalidOperationException("The reference server did not come up.");
    }

    public static async Task<int> ServeAsync(string[] arguments)
    {
        var answer = Convert.FromBase64String(arguments[1]);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{arguments[0]}"));
        await using var app = builder.Build();
        app.MapGet("/api/v1/devices/{id}/latest", (Delegate)AnswerAsync);
        await app.StartAsync();
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        return 0;

        async Task AnswerAsync(HttpContext http, string id)
        {
            http.Response.ContentType = "application/json; charset=utf-8";
            http.Response.ContentLength = answer.Length;
            await http.Response.BodyWriter.WriteAsync(answer, http.RequestAborted);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }
}
