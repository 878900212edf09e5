using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using IoT.Modules.Storage.PrivatePostgres;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>A Redis of the test's own, on a loopback port; it keeps its port when it is started again.</summary>
internal sealed class RedisServer(string? password = null) : IAsyncDisposable
{
    private const int SigCont = 18;
    private const int SigStop = 19;

    private readonly string _folder = Directory.CreateTempSubdirectory("iot-redis-").FullName;
    private readonly int _port = FreePort.Next();
    private Process? _server;

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}{(password is null ? "" : $",password={password}")}");

    public static async Task<RedisServer> StartedAsync(string? password = null)
    {
        var redis = new RedisServer(password);
        await redis.StartAsync();
        return redis;
    }

    /// <param name="keeping">Whether what it holds is written to disk at a stop, and there again after the next start.</param>
    public async Task StartAsync(bool keeping = false)
    {
        string[] arguments =
        [
            "--port", _port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _folder, "--appendonly", "no",
            "--save", keeping ? "3600 1" : "", .. password is null ? Array.Empty<string>() : ["--requirepass", password],
        ];
        _server = Process.Start(new ProcessStartInfo("redis-server", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _server.OutputDataReceived += (_, _) => { };
        _server.BeginOutputReadLine();
        _server.BeginErrorReadLine();
        await Eventually.TrueAsync(async () =>
        {
            using var probe = new TcpClient();
            await probe.ConnectAsync("127.0.0.1", _port, TestContext.Current.CancellationToken);
            return true;
        }, "Redis");
    }

    public async Task StopAsync()
    {
        Posix.Signal(_server!.Id, SigCont);
        Posix.Signal(_server.Id, 15);
        await _server.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>It takes connections and answers nothing.</summary>
    public void Pause() => Posix.Signal(_server!.Id, SigStop);

    public void Resume() => Posix.Signal(_server!.Id, SigCont);

    public async Task<string> AskAsync(params string[] command)
    {
        string[] arguments = ["-p", _port.ToString(CultureInfo.InvariantCulture), .. password is null ? Array.Empty<string>() : ["-a", password, "--no-auth-warning"], .. command];
        var answer = await ClientTool.RunAsync("redis-cli", arguments);
        Assert.True(answer.ExitCode == 0, answer.ToString());
        return answer.Output.Trim();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
        {
            Posix.Signal(_server.Id, SigCont);
            _server.Kill();
            await _server.WaitForExitAsync(CancellationToken.None);
        }
        _server?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
