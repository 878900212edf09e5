using System.ComponentModel;
using System.Globalization;
using System.Text;
using IoT.Modules.Storage.Contracts;
using Microsoft.Win32.SafeHandles;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>
/// Proof that this host, and no other, uses a data directory: an flock on <c>host.lock</c> in it, which holds our pid.
/// The kernel drops the lock when the process ends, however it ends; child processes don't inherit it.
/// </summary>
internal sealed class DataDirectoryLock : IDisposable
{
    private readonly SafeFileHandle _file;

    private DataDirectoryLock(string directory, SafeFileHandle file) => (Directory, _file) = (directory, file);

    /// <summary>The data directory, absolute and without links.</summary>
    public string Directory { get; }

    /// <summary>Makes the directory when it is missing, and takes it.</summary>
    /// <exception cref="StartupException">It can't be made or written, or another host has it.</exception>
    public static DataDirectoryLock Take(string directory)
    {
        var path = Path.GetFullPath(directory);
        try
        {
            System.IO.Directory.CreateDirectory(path);
            path = Posix.RealPath(path);
            var file = Posix.OpenOrCreate(Path.Combine(path, "host.lock"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            try
            {
                if (!Posix.TryLock(file))
                    throw new StartupException($"The data directory {path} is in use by another host (pid {HolderOf(file)}). Stop that one, or give this one a directory of its own with Data__Directory.");
                RandomAccess.SetLength(file, 0);
                RandomAccess.Write(file, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}\n")), 0);
                return new DataDirectoryLock(path, file);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Win32Exception)
        {
            throw new StartupException($"The data directory {path} can't be written by user {Environment.UserName}: {e.Message.TrimEnd('.')}. Give it to that user, or set Data__Directory to one that is.", e);
        }
    }

    public void Dispose() => _file.Dispose();

    private static string HolderOf(SafeFileHandle file)
    {
        Span<byte> text = stackalloc byte[16];
        var pid = Encoding.ASCII.GetString(text[..RandomAccess.Read(file, text, 0)]).Trim();
        return pid.Length == 0 ? "unknown" : pid;
    }
}
