using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using IoT.Benchmarks.Runner;

namespace IoT.Benchmarks.Broker;

/// <summary>The reference: Mosquitto as the system's package has it, on a loopback port, in memory, with no limit in the way of a case.</summary>
internal sealed class Mosquitto : IAsyncDisposable
{
    public const string Reference = "Mosquitto";

    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(10);

    private static readonly string[] Places = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];

    private readonly Process _process;

    private Mosquitto(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public int Pid => _process.Id;

    public static async Task<Mosquitto> StartAsync(WorkFolder folder, CancellationToken cancellationToken)
    {
        var port = HostUnderTest.FreePort();
        var settings = Path.Combine(folder.Path, "mosquitto.conf");
        await File.WriteAllTextAsync(
            settings,
            string.Create(CultureInfo.InvariantCulture, $"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_inflight_messages 0\nmax_queued_messages 0\nlog_type none\n"),
            cancellationToken);
        var program = Places.FirstOrDefault(File.Exists)
            ?? throw new InvalidOperationException("Mosquitto is missing: sudo apt-get install mosquitto");
        var process = Process.Start(new ProcessStartInfo(program, ["-c", settings]))!;
        var mosquitto = new Mosquitto(process, port);
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
                return mosquitto;
            }
            catch (SocketException) when (!process.HasExited && Stopwatch.GetElapsedTime(started) < LongestStart)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
            }
            catch
            {
                await mosquitto.DisposeAsync();
                throw;
            }
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
