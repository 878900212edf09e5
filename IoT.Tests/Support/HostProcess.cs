using System.Diagnostics;
using IoT.Host.Operations;
using IoT.Modules.Storage.PrivatePostgres;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>One run of the published host; what it writes is kept under artifacts/test.</summary>
internal sealed class HostProcess : IAsyncDisposable
{
    private const int SigTerm = 15;

    private static int _runs;

    private readonly Process _process;
    private readonly StreamWriter _log;
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly Task _reading;
    private readonly TaskCompletionSource<IReadOnlyList<string>> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public HostProcess(IReadOnlyDictionary<string, string> settings)
    {
        var test = TestContext.Current.TestClass?.TestClassSimpleName ?? "shared";
        LogPath = Repository.Output("hosts", $"{test}-{Interlocked.Increment(ref _runs)}.log");
        _log = new StreamWriter(LogPath) { AutoFlush = true };
        var start = new ProcessStartInfo("dotnet", [Repository.HostAssembly])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        foreach (var inherited in start.Environment.Keys.Where(key => key.Contains("__", StringComparison.Ordinal) || key.StartsWith("ASPNETCORE", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(inherited);
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        Pid = _process.Id;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput, _output), ReadAsync(_process.StandardError, _errors));
    }

    public int Pid { get; }

    public string LogPath { get; }

    public bool HasExited => _process.HasExited;

    public string Output => Text(_output);

    public string Errors => Text(_errors);

    /// <summary>The lines from the marker to the blank line that ends the block.</summary>
    public async Task<IReadOnlyList<string>> ReadyAsync(TimeSpan limit)
    {
        var exited = _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var first = await Task.WhenAny(_ready.Task, exited).WaitAsync(limit, TimeProvider.System, TestContext.Current.CancellationToken);
        if (first == _ready.Task)
            return await _ready.Task;
        await _reading;
        throw new InvalidOperationException($"The host ended with exit code {_process.ExitCode} before it was ready: {Errors}{Environment.NewLine}See {LogPath}");
    }

    public void Terminate() => Posix.Signal(Pid, SigTerm);

    public void Kill() => Posix.Signal(Pid, Posix.SigKill);

    public async Task<int> ExitAsync(TimeSpan limit)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(limit);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
            await _reading.WaitAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The host did not end within {limit.TotalSeconds} s; see {LogPath}");
        }
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        await _reading;
        await _log.DisposeAsync();
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader, List<string> lines)
    {
        List<string>? block = null;
        while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
        {
            lock (lines)
                lines.Add(line);
            lock (_log)
                _log.WriteLine(line);
            if (line.Contains(ReadyMessage.Marker, StringComparison.Ordinal))
                block = [];
            block?.Add(line);
            if (block is not null && line.Length == 0)
                _ready.TrySetResult(block);
        }
    }

    private static string Text(List<string> lines)
    {
        lock (lines)
            return string.Join('\n', lines);
    }
}
