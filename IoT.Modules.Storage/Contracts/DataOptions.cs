using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Where the host writes. Section <c>Data</c>.</summary>
public sealed class DataOptions
{
    public const string Section = "Data";

    /// <summary>A path, absolute or relative to the working directory. Default <c>./data</c>.</summary>
    [Description("everything the host writes on disk: private PostgreSQL (`postgres/connection`, mode 0600, holds its URI for `psql`), ingest log, MQTT sessions, keys")]
    [Required(AllowEmptyStrings = false, ErrorMessage = "a path")]
    public string Directory { get; set; } = "./data";

    /// <summary>The folder for keys and tokens, made when missing; for the host's user only.</summary>
    public DirectoryInfo KeysDirectory() =>
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "keys"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
