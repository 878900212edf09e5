namespace IoT.Modules.Storage.Contracts;

/// <summary>A restore that was killed in the middle leaves a mark; no host starts on half a system.</summary>
public static class UnfinishedRestore
{
    /// <summary>The mark's path.</summary>
    public static string MarkerIn(string dataDirectory) => Path.Combine(dataDirectory, "restore-unfinished");

    /// <exception cref="StartupException">It is there.</exception>
    public static void ThrowIfIn(string dataDirectory)
    {
        if (File.Exists(MarkerIn(dataDirectory)))
            throw new StartupException(
                $"A restore into {dataDirectory} did not come to its end. Move that directory away (with ConnectionStrings__Postgres, also drop and create the database), and restore again.");
    }
}
