using IoT.Modules.Gateway;
using IoT.Modules.Storage;

namespace IoT.Host.Operations;

/// <summary>
/// What the program does instead of running the platform, with the same settings: <c>--preflight</c>, <c>--backup FILE</c>,
/// <c>--restore FILE</c>.
/// </summary>
internal sealed class HostCommand
{
    private const string Preflight = "--preflight";
    private const string Backup = "--backup";
    private const string Restore = "--restore";

    private readonly string _name;
    private readonly string _file;

    private HostCommand(string name, string file) => (_name, _file) = (name, file);

    /// <summary>Null when none is asked for; takes it out of the arguments, the rest of which are settings.</summary>
    public static HostCommand? Of(ref string[] args)
    {
        switch (args)
        {
            case [Preflight, .. var rest]:
                args = rest;
                return new HostCommand(Preflight, "");
            case [Backup or Restore, { Length: > 0 } file, .. var rest] when !file.StartsWith('-'):
                (var name, args) = (args[0], rest);
                return new HostCommand(name, Path.GetFullPath(file));
            case [Backup or Restore, ..]:
                var asked = args[0];
                args = [];
                return new HostCommand(asked, "");
            default:
                return null;
        }
    }

    public async Task<int> RunAsync(IConfiguration configuration)
    {
        using var stopping = new CancellationTokenSource();
        using var interrupted = System.Runtime.InteropServices.PosixSignalRegistration.Create(System.Runtime.InteropServices.PosixSignal.SIGINT, Cancel);
        using var terminated = System.Runtime.InteropServices.PosixSignalRegistration.Create(System.Runtime.InteropServices.PosixSignal.SIGTERM, Cancel);
        if (_name != Preflight && _file.Length == 0)
        {
            await Console.Error.WriteLineAsync($"usage: {_name} FILE [--Section:Key=value …]");
            return 2;
        }
        try
        {
            return _name switch
            {
                Preflight => await StorageModule.PreflightAsync(configuration, Console.Out, stopping.Token),
                Backup => await GatewayModule.BackupAsync(configuration, _file, Console.Out, stopping.Token),
                _ => await GatewayModule.RestoreAsync(configuration, _file, Console.Out, stopping.Token),
            };
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Interrupted.");
            return 130;
        }

        void Cancel(System.Runtime.InteropServices.PosixSignalContext context)
        {
            context.Cancel = true;
            stopping.Cancel();
        }
    }
}
