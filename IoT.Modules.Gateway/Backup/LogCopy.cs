using System.ComponentModel;
using System.Runtime.InteropServices;
using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Backup;

/// <summary>
/// A copy of an ingest log that a host writes to. First every segment gets a second name, so that it outlives being trimmed; then, after
/// the database has been dumped, what has come in since is added. So the copy begins before the dump's positions and ends after them.
/// </summary>
internal sealed partial class LogCopy(string source, string target)
{
    private const int BlockBytes = 64 * 1024;

    /// <summary>Gives all segments there are, and the log's identity, a second name. The same file system is needed.</summary>
    public void Hold()
    {
        Directory.CreateDirectory(target);
        foreach (var name in Directory.EnumerateFiles(source).Select(Path.GetFileName).OfType<string>().Where(IsPartOfLog))
            Link(Path.Combine(source, name), Path.Combine(target, name));
    }

    /// <summary>Adds what has been begun since, and makes the last segment a file of its own.</summary>
    public void Finish()
    {
        Hold();
        var last = Directory.EnumerateFiles(target).Where(file => SegmentHeader.TryParseName(Path.GetFileName(file), out _)).Order(StringComparer.Ordinal).LastOrDefault();
        if (last is null)
            return;
        CopyBackwards(last, last + ".copy");
        File.Move(last + ".copy", last, overwrite: true);
    }

    private static bool IsPartOfLog(string name) => name == LogIdentity.Name || SegmentHeader.TryParseName(name, out _);

    /// <summary>
    /// From its end to its beginning: records are written in order, so whatever a block has, those before it have all that came earlier.
    /// A copy in reading order could have a later record and not the one before. Its end may be torn, as after a power cut.
    /// </summary>
    private static void CopyBackwards(string from, string to)
    {
        using var input = File.OpenHandle(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var output = File.OpenHandle(to, FileMode.Create, FileAccess.Write);
        var length = RandomAccess.GetLength(input);
        RandomAccess.SetLength(output, length);
        var block = new byte[BlockBytes];
        for (var at = (length - 1) / BlockBytes * BlockBytes; at >= 0; at -= BlockBytes)
        {
            var read = RandomAccess.Read(input, block, at);
            // Zeros are there already.
            if (block.AsSpan(0, read).IndexOfAnyExcept((byte)0) >= 0)
                RandomAccess.Write(output, block.AsSpan(0, read), at);
        }
        RandomAccess.FlushToDisk(output);
    }

    private static void Link(string from, string to)
    {
        if (!File.Exists(to) && link(from, to) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            // Trimmed meanwhile.
            if (error != 2)
                throw new IOException($"{to} can't be linked to {from}: {new Win32Exception(error).Message}");
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);
}
