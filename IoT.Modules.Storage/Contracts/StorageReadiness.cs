namespace IoT.Modules.Storage.Contracts;

/// <summary>Whether the database can be used.</summary>
public sealed class StorageReadiness
{
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the schema is in place and the directories are loaded.</summary>
    public Task Ready => _ready.Task;

    internal void MarkReady() => _ready.TrySetResult();
}
