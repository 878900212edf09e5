using IoT.Modules.Storage.Contracts;

namespace IoT.Host.Pages.Devices;

/// <summary>A device's fields as a form sends them; empty ones come as null.</summary>
internal sealed class DeviceForm
{
    private const int SpareLabels = 2;

    public string? Id { get; set; }

    public string? Name { get; set; }

    public string? Type { get; set; }

    public string? Location { get; set; }

    public string? Status { get; set; }

    /// <summary>With <see cref="LabelValue"/> at the same place.</summary>
    public string?[] LabelName { get; set; } = [];

    public string?[] LabelValue { get; set; } = [];

    public static DeviceForm Of(Device device) => new()
    {
        Id = device.Id,
        Name = device.Name,
        Type = device.Type,
        Location = device.Location,
        Status = device.Status,
        LabelName = [.. device.Labels.Keys],
        LabelValue = [.. device.Labels.Values],
    };

    /// <summary>The labels as rows, with some to fill in.</summary>
    public IEnumerable<(string? Name, string? Value)> LabelRows =>
        LabelName.Zip(LabelValue).Where(l => l.First is not null || l.Second is not null).Concat(Enumerable.Repeat<(string?, string?)>((null, null), SpareLabels));

    public Outcome<Dictionary<string, string>> Labels()
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in LabelName.Zip(LabelValue))
        {
            if (name is null && value is null)
                continue;
            if (name is null)
                return Failure.Invalid("labels", $"the value {value} has no name");
            if (!labels.TryAdd(name, value ?? ""))
                return Failure.Invalid("labels", $"{name} is there twice");
        }
        return labels;
    }
}
