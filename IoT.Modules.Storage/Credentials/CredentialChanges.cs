using IoT.Modules.Storage.Database;

namespace IoT.Modules.Storage.Credentials;

/// <summary>
/// Changes to one credential come one after the other, so that database, directory and mirror see them in one order; and none comes
/// before the directories are the database's.
/// </summary>
internal sealed class CredentialChanges(PostgresPools database) : IDisposable
{
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 16).Select(_ => new SemaphoreSlim(1, 1))];

    /// <summary>Waits for its turn, which ends with the disposal of what comes back.</summary>
    /// <exception cref="DatabaseUnavailableException">PostgreSQL has not been there since the host started.</exception>
    public async Task<IDisposable> EnterAsync(CredentialKind kind, string name, CancellationToken cancellationToken)
    {
        if (!database.IsReady)
            throw new DatabaseUnavailableException();
        var turn = _turns[(uint)HashCode.Combine(kind, name) % (uint)_turns.Length];
        await turn.WaitAsync(cancellationToken);
        return new Turn(turn);
    }

    public void Dispose()
    {
        foreach (var turn in _turns)
            turn.Dispose();
    }

    private sealed class Turn(SemaphoreSlim turn) : IDisposable
    {
        public void Dispose() => turn.Release();
    }
}
