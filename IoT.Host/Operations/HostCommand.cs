using System.Data.Common;
using System.Runtime.InteropServices;
using IoT.Modules.Gateway;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;

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
            case var all when all.Contains(Preflight):
                args = [.. all.Where(a => a != Preflight)];
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
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
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
        catch (Exception exception) when (_name != Preflight && exception is (StartupException or IOException or UnauthorizedAccessException or DbException))
        {
            await Console.Error.WriteLineAsync($"The {(_name == Backup ? "backup" : "restore")} failed. {exception.Message}");
            return 1;
        }

        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            stopping.Cancel();
        }
    }
}
