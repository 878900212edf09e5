using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>The few system calls that .NET has no name for. The constants are those of Linux on x64 and arm64.</summary>
internal static partial class Posix
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;

    private const int EPerm = 1;
    private const int EAgain = 11;

    public static uint EffectiveUser => GetEuid();

    /// <summary>False when there is no such process any more.</summary>
    public static bool Signal(int pid, int signal) => Kill(pid, signal) == 0;

    /// <summary>Whether the process runs, whoever owns it. One that has ended and waits for its parent does not.</summary>
    public static bool IsAlive(int pid) =>
        (Kill(pid, 0) == 0 || Marshal.GetLastPInvokeError() == EPerm) && !IsZombie(pid);

    /// <summary>Opens for reading and writing, makes it when missing, and keeps it from child processes.</summary>
    /// <exception cref="Win32Exception">With the system's words for why not.</exception>
    public static SafeFileHandle OpenOrCreate(string path, UnixFileMode mode)
    {
        const int readWrite = 2, create = 0x40, closeOnExec = 0x80000;
        var handle = Open(path, readWrite | create | closeOnExec, (uint)mode);
        return handle >= 0 ? new SafeFileHandle(handle, ownsHandle: true) : throw LastError();
    }

    /// <summary>Takes the advisory lock of an open file; false when another open file has it.</summary>
    /// <exception cref="Win32Exception">The file system has no locks.</exception>
    public static bool TryLock(SafeFileHandle file)
    {
        const int exclusive = 2, nonBlocking = 4;
        if (Flock(file, exclusive | nonBlocking) == 0)
            return true;
        return Marshal.GetLastPInvokeError() == EAgain ? false : throw LastError();
    }

    /// <summary>Makes a rename inside the directory survive a power cut.</summary>
    public static void SyncDirectory(string path)
    {
        const int readOnly = 0, closeOnExec = 0x80000;
        var handle = Open(path, readOnly | closeOnExec, 0);
        if (handle < 0)
            throw LastError();
        using var directory = new SafeFileHandle(handle, ownsHandle: true);
        if (Fsync(directory) != 0)
            throw LastError();
    }

    /// <summary>Gives a file or a directory (not what a link points to) to a user.</summary>
    public static void ChangeOwner(string path, uint user, uint group)
    {
        if (LChown(path, user, group) != 0)
            throw LastError();
    }

    /// <summary>The path without links; the path itself when it doesn't exist.</summary>
    public static string RealPath(string path)
    {
        Span<byte> resolved = stackalloc byte[4096];
        return RealPath(path, resolved) == 0 ? path : Encoding.UTF8.GetString(resolved[..resolved.IndexOf((byte)0)]);
    }

    /// <summary>Owner and kind of what is at the path (of a link itself); null when nothing is.</summary>
    public static FileOwner? OwnerOf(string path)
    {
        const int currentDirectory = -100, noFollow = 0x100;
        const uint basicStats = 0x7ff;
        Span<byte> answer = stackalloc byte[256];
        if (Statx(currentDirectory, path, noFollow, basicStats, answer) != 0)
            return null;
        // struct statx is the same on every architecture: stx_uid at 20, stx_gid at 24, stx_mode at 28.
        var mode = BitConverter.ToUInt16(answer[28..]);
        return new FileOwner(
            BitConverter.ToUInt32(answer[20..]), BitConverter.ToUInt32(answer[24..]), (mode & 0xF000) == 0x4000, (UnixFileMode)(mode & 0xFFF));
    }

    private static bool IsZombie(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            // The name in parentheses may itself hold parentheses; the state follows the last one.
            return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('Z');
        }
        catch (IOException)
        {
            return true; // Gone between the two looks.
        }
        catch (UnauthorizedAccessException)
        {
            return false; // /proc is mounted with hidepid; kill(2) said that it is there.
        }
    }

    private static Win32Exception LastError() => new(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEuid();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint RealPath(string path, Span<byte> resolved);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, Span<byte> answer);
}

/// <summary>What <see cref="Posix.OwnerOf"/> tells.</summary>
internal readonly record struct FileOwner(uint User, uint Group, bool IsDirectory, UnixFileMode Mode);
