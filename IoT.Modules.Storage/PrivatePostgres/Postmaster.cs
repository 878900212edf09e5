using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>One run of the server.</summary>
internal sealed class Postmaster : IDisposable
{
    private static readonly TimeSpan FastShutdown = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ImmediateShutdown = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan NewsInterval = TimeSpan.FromSeconds(15);

    private readonly Process _process;
    private readonly ILogger _logger;
    private readonly TimeProvider _clock;

    private Postmaster(Process process, int port, ILogger logger, TimeProvider clock)
    {
        (_process, Port, _logger, _clock) = (process, port, logger, clock);
        Pid = process.Id;
        Exited = process.WaitForExitAsync(CancellationToken.None);
    }

    public int Pid { get; }

    public int Port { get; }

    public Task Exited { get; }

    /// <summary>128 + signal when one ended it.</summary>
    public int ExitCode => _process.ExitCode;

    public static Postmaster Start(ProcessStartInfo command, int port, ILogger logger, TimeProvider clock) =>
        new(Process.Start(command)!, port, logger, clock);

    /// <summary>True when it takes connections, false when it has ended. As long as it recovers from a crash, neither.</summary>
    public async Task<bool> ReadyAsync(ClusterLayout layout, CancellationToken cancellationToken)
    {
        var start = _clock.GetTimestamp();
        var news = NewsInterval;
        while (!Exited.IsCompleted)
        {
            if (SaysReady(layout.PidFile))
                return true;
            if (_clock.GetElapsedTime(start) > news)
            {
                _logger.StillStarting((long)news.TotalSeconds);
                news += NewsInterval;
            }

            await Task.WhenAny(Exited, Task.Delay(PollInterval, _clock, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }

        return false;
    }

    public async Task<bool> ExitedWithinAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        try
        {
            await Exited.WaitAsync(time, _clock, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async Task StopAsync()
    {
        if (Exited.IsCompleted)
            return;
        Posix.Signal(Pid, Posix.SigInt);
        if (await ExitedWithinAsync(FastShutdown, CancellationToken.None))
        {
            _logger.Stopped(Pid);
            return;
        }

        _logger.StopsSlowly(Pid, FastShutdown.TotalSeconds);
        Posix.Signal(Pid, Posix.SigQuit);
        if (!await ExitedWithinAsync(ImmediateShutdown, CancellationToken.None))
            _logger.DoesNotStop(Pid, ImmediateShutdown.TotalSeconds);
    }

    public void Dispose() => _process.Dispose();

    /// <summary>The server writes its state in line 8; pg_ctl looks there too.</summary>
    private bool SaysReady(string pidFile)
    {
        try
        {
            var lines = File.ReadAllLines(pidFile);
            return lines.Length >= 8 && lines[0] == Pid.ToString(CultureInfo.InvariantCulture) && lines[7].Trim() == "ready";
        }
        catch (IOException)
        {
            return false; // Not there yet.
        }
    }
}
