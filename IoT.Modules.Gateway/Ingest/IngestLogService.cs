using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Opens the ingest log before anything can come in, and closes it after the last has. A log that fails (a write or fdatasync error)
/// ends the host: nothing that was not acknowledged is pretended to be safe.
/// </summary>
internal sealed partial class IngestLogService(DataOptions data, GatewayOptions options, IngestProgress progress, Ledger ledger, StorageReadiness readiness, IHostApplicationLifetime lifetime, TimeProvider time, ILoggerFactory loggers)
    : IHostedService, IAsyncDisposable
{
    private const long MiB = 1024 * 1024;

    private readonly ILogger _logger = loggers.CreateLogger<IngestLogService>();
    private readonly CancellationTokenSource _stopping = new();
    private DurableLog? _log;
    private Task _watching = Task.CompletedTask;

    public string Directory { get; } = Path.GetFullPath(Path.Combine(data.Directory, "ingest"));

    public DurableLog Log => _log ?? throw new InvalidOperationException("The ingest log is not open.");

    /// <summary>What was in the log when it was opened lies before this.</summary>
    public long FirstNewSequence { get; private set; }

    /// <summary>Why the log can take nothing any more; null while it can.</summary>
    public string? Trouble { get; private set; }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            var log = new IngestLogOptions
            {
                BudgetBytes = options.IngestLogMiB * MiB,
                // Two are written ahead at the first start; a small budget has small ones.
                SegmentBytes = Math.Clamp(options.IngestLogMiB * MiB / 64, 4 * MiB, 64 * MiB),
                // One body is one append: its records take less than twice its bytes, and a publish may go with them once more as a message.
                MaxPendingBytes = (int)Math.Max(64 * MiB, Math.Max(2L * options.MaxBatchBytes, 3L * options.MqttMaxPacketBytes + MiB)),
            };
            System.IO.Directory.CreateDirectory(Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            _log = DurableLog.Open(Directory, log, time, loggers.CreateLogger<DurableLog>());
            FirstNewSequence = _log.NextSequence;
        }
        catch (Exception exception) when (exception is IngestLogUnusableException or IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"The ingest log in {Directory} can't be opened: {exception.Message}", exception);
        }
        // Until the drain knows where its lanes stand, everything in the log is taken to be on its way.
        progress.Acknowledged = () => _log.DurableSequence;
        progress.Behind = () => ledger.InFlight;
        progress.Stored = () => readiness.Ready.IsCompleted ? _log.FirstSequence - 1 : null;
        _watching = WatchAsync(_log);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _watching;
        if (_log is not null)
            await _log.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_log is not null)
            await _log.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task WatchAsync(DurableLog log)
    {
        try
        {
            var exception = await log.Failed.WaitAsync(_stopping.Token);
            Trouble = exception.Message;
            LogFailed(exception, exception.Message);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    [LoggerMessage(2010, LogLevel.Critical, "The ingest log has failed, and the host stops; nothing is acknowledged any more: {Reason}")]
    private partial void LogFailed(Exception exception, string reason);
}
