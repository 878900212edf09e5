using System.Diagnostics;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>What a program came to.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error)
{
    public override string ToString() => $"exit code {ExitCode}{Environment.NewLine}{Output}{Environment.NewLine}{Error}";
}

/// <summary>The programs of users and devices: curl, mosquitto_pub, mosquitto_sub, psql. Each run has a deadline.</summary>
internal sealed class ClientTool : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly Task _reading;
    private readonly Task<string> _error;

    private ClientTool(string program, string[] arguments)
    {
        _process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _process.StandardInput.Close();
        _reading = ReadAsync();
        _error = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task<ToolResult> RunAsync(string program, params string[] arguments)
    {
        await using var tool = new ClientTool(program, arguments);
        return await tool.EndAsync();
    }

    /// <summary>Starts a program that goes on: <c>mosquitto_sub</c>.</summary>
    public static ClientTool Start(string program, params string[] arguments) => new(program, arguments);

    /// <summary>What it has written to stdout so far.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public async Task<ToolResult> EndAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(Deadline);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{_process.StartInfo.FileName} did not end within {Deadline.TotalSeconds} s. It said: {string.Join(Environment.NewLine, Lines)}");
        }
        await _reading;
        return new ToolResult(_process.ExitCode, string.Join('\n', Lines), await _error);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        await _reading;
        await _error;
        _process.Dispose();
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync(CancellationToken.None) is { } line)
        {
            lock (_lines)
                _lines.Add(line);
        }
    }
}
