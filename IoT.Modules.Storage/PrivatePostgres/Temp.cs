namespace IoT.Modules.Storage.PrivatePostgres;
#pragma warning disable
internal sealed class PrivateCluster : IAsyncDisposable { public string ConnectionString => ""; public Task StartAsync(CancellationToken c) => Task.CompletedTask; public Task StopAsync() => Task.CompletedTask; public ValueTask DisposeAsync() => default; }
internal sealed class DataDirectoryLock : IDisposable { public static DataDirectoryLock Take(string d) => new(); public void Dispose() { } }
