using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace IoT.Modules.Gateway.IngestLog;

/// <summary>A directory that this process holds by an flock on its file <c>lock</c>; the kernel drops it however the process ends.</summary>
internal sealed class LogFiles : ILogFiles
{
    private readonly string _directory;
    private readonly SafeFileHandle _lock;

    public LogFiles(string directory)
    {
        _directory = Path.GetFullPath(directory);
        Directory.CreateDirectory(_directory);
        _lock = LogSystemCalls.OpenOrCreate(In("lock"));
        if (!LogSystemCalls.TryLock(_lock))
        {
            _lock.Dispose();
            throw new IOException($"The ingest log {_directory} is in use by another process.");
        }
    }

    public IReadOnlyList<string> List() => [.. Directory.EnumerateFiles(_directory).Select(path => Path.GetFileName(path))];

    public ILogFile Create(string name, long bytes)
    {
        var file = new LogFile(File.OpenHandle(In(name), FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite));
        try
        {
            file.Fill(bytes);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public ILogFile Open(string name) => new LogFile(File.OpenHandle(In(name), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite));

    public void Rename(string from, string to) => LogSystemCalls.Rename(In(from), In(to));

    public void Delete(string name) => File.Delete(In(name));

    public void SyncDirectory() => LogSystemCalls.SyncDirectory(_directory);

    public void Dispose() => _lock.Dispose();

    private string In(string name) => Path.Combine(_directory, name);

    private sealed class LogFile(SafeFileHandle handle) : ILogFile
    {
        private static readonly byte[] Zeros = new byte[1024 * 1024];

        public long Length => RandomAccess.GetLength(handle);

        /// <summary>
        /// Zeros are written although fallocate alone would reserve the space: measured here, a commit into blocks that were written
        /// before takes 0.10 ms, into blocks that are only allocated 0.19 ms, into a growing file 0.25 ms.
        /// </summary>
        public void Fill(long bytes)
        {
            LogSystemCalls.Allocate(handle, bytes);
            for (long offset = 0; offset < bytes; offset += Zeros.Length)
                RandomAccess.Write(handle, Zeros.AsSpan(0, (int)Math.Min(Zeros.Length, bytes - offset)), offset);
        }

        public int Read(Span<byte> target, long offset)
        {
            var total = 0;
            while (total < target.Length && RandomAccess.Read(handle, target[total..], offset + total) is > 0 and var read)
                total += read;
            return total;
        }

        public void Write(ReadOnlySpan<byte> source, long offset) => RandomAccess.Write(handle, source, offset);

        public void SyncData() => LogSystemCalls.SyncData(handle);

        public void Sync() => LogSystemCalls.Sync(handle);

        public void Dispose() => handle.Dispose();
    }
}

/// <summary>What .NET has no name for, or hides the error of. The constants are those of Linux on x64 and arm64.</summary>
internal static partial class LogSystemCalls
{
    private const int EIntr = 4, EAgain = 11, EOpNotSupp = 95;

    public static SafeFileHandle OpenOrCreate(string path)
    {
        const int readWrite = 2, create = 0x40, closeOnExec = 0x80000, ownerOnly = 0x180;
        var descriptor = OpenFile(path, readWrite | create | closeOnExec, ownerOnly);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw LastError("open");
    }

    public static bool TryLock(SafeFileHandle file)
    {
        const int exclusive = 2, nonBlocking = 4;
        if (Flock(file, exclusive | nonBlocking) == 0)
            return true;
        return Marshal.GetLastPInvokeError() == EAgain ? false : throw LastError("flock");
    }

    /// <summary>Reserves blocks; does nothing where the file system can't, since zeros are written after it.</summary>
    public static void Allocate(SafeFileHandle file, long bytes)
    {
        while (Fallocate(file, 0, 0, bytes) != 0)
        {
            if (Marshal.GetLastPInvokeError() == EOpNotSupp)
                return;
            ThrowUnlessInterrupted("fallocate");
        }
    }

    public static void SyncData(SafeFileHandle file)
    {
        while (Fdatasync(file) != 0)
            ThrowUnlessInterrupted("fdatasync");
    }

    public static void Sync(SafeFileHandle file)
    {
        while (Fsync(file) != 0)
            ThrowUnlessInterrupted("fsync");
    }

    public static void SyncDirectory(string path)
    {
        const int readOnly = 0, closeOnExec = 0x80000;
        var descriptor = OpenFile(path, readOnly | closeOnExec, 0);
        if (descriptor < 0)
            throw LastError("open");
        using var directory = new SafeFileHandle(descriptor, ownsHandle: true);
        Sync(directory);
    }

    public static void Rename(string from, string to)
    {
        if (RenameFile(from, to) != 0)
            throw LastError("rename");
    }

    private static void ThrowUnlessInterrupted(string call)
    {
        if (Marshal.GetLastPInvokeError() != EIntr)
            throw LastError(call);
    }

    private static IOException LastError(string call)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{call}: {new Win32Exception(error).Message}", error);
    }

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Fallocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int Fdatasync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameFile(string from, string to);
}
