namespace IoT.Modules.Storage.Contracts;

/// <summary>How much time one partition of <c>device_data</c> holds; it begins at midnight UTC.</summary>
public enum PartitionSpan
{
    /// <summary>A calendar month.</summary>
    Month,

    /// <summary>Seven days from a Monday.</summary>
    Week,

    /// <summary>A day.</summary>
    Day,
}
