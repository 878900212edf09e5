using System.Diagnostics;
using System.Globalization;
using IoT.Modules.Gateway;
using IoT.Modules.Gateway.Http;
using IoT.Modules.Gateway.Ingest;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace IoT.Benchmarks.Ingest;

/// <summary>What HTTP could reach at best: the same Kestrel, body and parser, and 200 to whatever it was. A process of its own.</summary>
internal sealed class ReferenceServer : IAsyncDisposable
{
    public const string Role = "reference-server";

    private readonly Process _process;

    private ReferenceServer(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public static async Task<ReferenceServer> StartAsync(int port, CancellationToken cancellationToken)
    {
        var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(ReferenceServer).Assembly.Location, Role, port.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var server = new ReferenceServer(process, port);
        if (await process.StandardOutput.ReadLineAsync(cancellationToken) == "ready")
            return server;
        await server.DisposeAsync();
        throw new InvalidOperationException("The reference server did not come up.");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    /// <summary>The process itself; it ends with its stdin.</summary>
    public static async Task<int> ServeAsync(string[] arguments)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{arguments[0]}"));
        await using var app = builder.Build();
        var options = new GatewayOptions();
        var parser = new ReadingParser(options, new DeviceDirectory(), TimeProvider.System);
        app.MapPost("/api/v1/data", (Delegate)AnswerAsync);
        await app.StartAsync();
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        return 0;

        async Task<IResult> AnswerAsync(HttpContext http)
        {
            var body = await RequestBody.ReadAsync(http.Request, _ => options.MaxReadingBytes, options.MaxReadingBytes, http.RequestAborted);
            var batch = parser.ParseJson(body.Value.Memory);
            body.Value.Return();
            return Results.Json(new PostData.Answer(batch.Readings.Count, 0, batch.Rejected), Json.Options);
        }
    }
}
