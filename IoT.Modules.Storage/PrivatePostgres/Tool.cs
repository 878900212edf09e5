using System.Diagnostics;
using System.Text;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>Runs a program to its end. Programs get a bare environment: ours holds secrets, and PGDATA and the like would mislead them.</summary>
internal static class Tool
{
    public static ProcessStartInfo Command(string program, params IEnumerable<string> arguments)
    {
        // All three are redirected so that .NET leaves the terminal's settings alone.
        var command = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        command.Environment.Clear();
        command.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        command.Environment["LC_ALL"] = "C";
        return command;
    }

    /// <summary>Exit code and everything it said. Cancelled, it ends the program and its children.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(ProcessStartInfo command, string input, CancellationToken cancellationToken)
    {
        using var process = Process.Start(command)!;
        var output = new StringBuilder();
        process.OutputDataReceived += Collect;
        process.ErrorDataReceived += Collect;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            try
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading its input; its exit code tells why.
            }

            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }

        lock (output)
            return (process.ExitCode, output.ToString().Trim());

        void Collect(object sender, DataReceivedEventArgs line)
        {
            lock (output)
                output.AppendLine(line.Data);
        }
    }
}
