namespace IoT.Modules.Storage.Contracts;

/// <summary>A restore that ends in the middle leaves a mark; no host starts on half a system.</summary>
public static class UnfinishedRestore
{
    /// <summary>Before the first change.</summary>
    public static void Begin(string dataDirectory, string file)
    {
        using var mark = new FileStream(MarkIn(dataDirectory), FileMode.Create, FileAccess.Write);
        mark.Write(System.Text.Encoding.UTF8.GetBytes(file));
        mark.Flush(flushToDisk: true);
    }

    /// <summary>After the last one.</summary>
    public static void End(string dataDirectory) => File.Delete(MarkIn(dataDirectory));

    /// <exception cref="StartupException">There is half of one.</exception>
    public static void ThrowIfIn(string dataDirectory)
    {
        if (File.Exists(MarkIn(dataDirectory)))
            throw new StartupException(
                $"A restore into {dataDirectory} did not come to its end. Move that directory away (with ConnectionStrings__Postgres, also drop and create the database), and restore again.");
    }

    private static string MarkIn(string dataDirectory) => Path.Combine(dataDirectory, "restore-unfinished");
}
