using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Where the host writes. Section <c>Data</c>.</summary>
public sealed class DataOptions
{
    public const string Section = "Data";

    /// <summary>A path, absolute or relative to the working directory. Default <c>./data</c>.</summary>
    [Description("everything the host writes on disk: private PostgreSQL (`postgres/connection`, mode 0600, holds its URI for `psql`), keys")]
    [Required(AllowEmptyStrings = false, ErrorMessage = "a path")]
    public string Directory { get; set; } = "./data";
}
