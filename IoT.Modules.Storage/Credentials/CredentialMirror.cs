using System.Buffers;
using System.ComponentModel;
using IoT.Modules.Storage.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IoT.Modules.Storage.Credentials;

/// <summary>
/// A copy of the directories in <c>keys/credentials</c>, so that a host that starts while a given PostgreSQL is away lets in whom it
/// let in before. A change that takes something away is on disk before it is answered; new devices follow within
/// <see cref="Period"/>. A mirror that can't be written is removed: none is better than one in which ended credentials live on.
/// </summary>
internal sealed partial class CredentialMirror(
    DataOptions data, DeviceDirectory devices, ApiKeyDirectory apiKeys, PeopleDirectory people, TimeProvider time, ILogger<CredentialMirror> logger) : BackgroundService
{
    // A rest of a larger write may stay behind when the host is killed in the middle of it: those replace the file instead.
    private const int MaxAppendBytes = 64 * 1024;
    private const int MinGrowthBytes = 256 * 1024;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly Lock _lock = new();
    private HashSet<(CredentialKind Kind, string Name)> _changed = [];
    private byte[]? _database;
    private CredentialFile? _file;
    private volatile bool _isKept;
    private bool _isInTrouble;

    private string FilePath => Path.Combine(data.KeysDirectory().FullName, "credentials");

    /// <param name="database">What names the database; a mirror of another one is not read.</param>
    public void Mirrors(string database) => _database = CredentialFile.NameOf(database);

    /// <summary>For a host with a PostgreSQL of its own, which needs none: what an earlier configuration left would only grow old.</summary>
    public void Remove()
    {
        foreach (var path in new[] { FilePath, FilePath + ".tmp" })
            File.Delete(path);
    }

    /// <summary>Fills the empty directories from the mirror; false, with the reason in the log, when it can't be used.</summary>
    public bool TryFill()
    {
        try
        {
            if (CredentialFile.Read(FilePath, _database) is not { } credentials)
            {
                LogNone(FilePath);
                return false;
            }
            foreach (var credential in credentials)
                Apply(credential);
            LogFilled(devices.All.Count(), apiKeys.Made.Count(), people.All.Count(), FilePath, File.GetLastWriteTimeUtc(FilePath));
            return true;
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            LogUnusable(FilePath, exception.Message);
            return false;
        }
    }

    /// <summary>From here on the directories are the database's, and the mirror follows them.</summary>
    public async Task KeepAsync()
    {
        if (_database is null)
            return;
        _isKept = true;
        await FlushAsync();
    }

    /// <summary>
    /// Returns when the mirror on disk says of this credential what the directories say now, or when there is no mirror any more. Not
    /// to be cancelled: the database has changed already.
    /// </summary>
    /// <exception cref="IOException">The mirror can be neither written nor removed: the change would be undone by a start without PostgreSQL.</exception>
    public async Task WriteThroughAsync(CredentialKind kind, string name)
    {
        if (!_isKept)
            return;
        lock (_lock)
            _changed.Add((kind, name));
        await _writing.WaitAsync(CancellationToken.None);
        try
        {
            // Whoever wrote last may have taken this change along.
            Write();
        }
        finally
        {
            _writing.Release();
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await FlushAsync();
    }

    public override void Dispose()
    {
        _file?.Dispose();
        _writing.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await FlushAsync();
    }

    private async Task FlushAsync()
    {
        if (!_isKept)
            return;
        await _writing.WaitAsync(CancellationToken.None);
        try
        {
            Write();
        }
        catch (IOException exception)
        {
            LogStale(exception, FilePath);
        }
        finally
        {
            _writing.Release();
        }
    }

    private void Write()
    {
        HashSet<(CredentialKind Kind, string Name)> changed;
        lock (_lock)
            (changed, _changed) = (_changed, []);
        // New devices, those registered with their first reading among them.
        foreach (var device in devices.All)
        {
            if (device is { IsRegistered: true, IsMirrored: false })
                changed.Add((CredentialKind.Device, device.Id));
        }
        if (_file is not null && changed.Count == 0)
            return;
        try
        {
            Write(changed);
            _isInTrouble = false;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or Win32Exception)
        {
            GiveUp(exception);
        }
    }

    private void Write(HashSet<(CredentialKind Kind, string Name)> changed)
    {
        if (_file is not null)
        {
            var entries = new ArrayBufferWriter<byte>();
            foreach (var (kind, name) in changed)
                Look(kind, name).WriteTo(entries);
            if (entries.WrittenCount <= MaxAppendBytes && _file.Length + entries.WrittenCount <= 2 * _file.BaseLength + MinGrowthBytes)
            {
                _file.Append(entries.WrittenSpan);
                return;
            }
        }
        var file = CredentialFile.Replace(FilePath, _database, Everything().WrittenSpan);
        _file?.Dispose();
        _file = file;
    }

    private void GiveUp(Exception exception)
    {
        _file?.Dispose();
        _file = null;
        if (!_isInTrouble)
            LogFailed(exception, FilePath);
        _isInTrouble = true;
        try
        {
            File.Delete(FilePath);
            PrivatePostgres.Posix.SyncDirectory(Path.GetDirectoryName(FilePath)!);
        }
        catch (Exception other) when (other is IOException or UnauthorizedAccessException or Win32Exception)
        {
            throw new IOException($"The mirror of credentials, {FilePath}, can be neither written ({exception.Message}) nor removed ({other.Message}).", other);
        }
    }

    private ArrayBufferWriter<byte> Everything()
    {
        var entries = new ArrayBufferWriter<byte>();
        foreach (var device in devices.All)
        {
            if (device.IsRegistered)
                Of(device).WriteTo(entries);
        }
        foreach (var key in apiKeys.Made)
            Of(key).WriteTo(entries);
        foreach (var (name, role) in people.All)
            new Credential(CredentialKind.Person, name, true, Role: role).WriteTo(entries);
        return entries;
    }

    /// <summary>As the directories have it now: of two changes to one name, whichever is written last is right.</summary>
    private Credential Look(CredentialKind kind, string name) => kind switch
    {
        CredentialKind.Device when devices.Find(name) is { IsRegistered: true } device => Of(device),
        CredentialKind.ApiKey when apiKeys.Made.FirstOrDefault(k => k.Name == name) is { } key => Of(key),
        CredentialKind.Person when people.RoleOf(name) is { } role => new Credential(kind, name, true, Role: role),
        _ => new Credential(kind, name, Exists: false),
    };

    private static Credential Of(DeviceEntry device)
    {
        // Before the look, so that a change after it is not taken for mirrored.
        device.IsMirrored = true;
        return new Credential(CredentialKind.Device, device.Id, true, device.IsEnabled, Hash: device.TokenHash);
    }

    private static Credential Of(ApiKeyEntry key) => new(CredentialKind.ApiKey, key.Name, true, Role: key.Role, Hash: key.KeyHash);

    private void Apply(Credential credential)
    {
        switch (credential)
        {
            case { Kind: CredentialKind.Device, Exists: true }:
                var device = devices.FindOrAdd(credential.Name);
                device.IsRegistered = true;
                device.IsEnabled = credential.IsEnabled;
                devices.SetToken(device, credential.Hash);
                break;
            case { Kind: CredentialKind.Device }:
                if (devices.Find(credential.Name) is { } gone)
                    devices.Remove(gone);
                break;
            case { Kind: CredentialKind.ApiKey }:
                apiKeys.Remove(credential.Name);
                if (credential is { Exists: true, Role: { } keyRole, Hash: { } hash })
                    apiKeys.Add(new ApiKeyEntry(credential.Name, keyRole, hash));
                break;
            case { Kind: CredentialKind.Person, Exists: true, Role: { } role }:
                people.Set(credential.Name, role);
                break;
            case { Kind: CredentialKind.Person }:
                people.Remove(credential.Name);
                break;
        }
    }

    [LoggerMessage(1150, LogLevel.Warning, "Until PostgreSQL answers, {Devices} devices, {Keys} API keys and {People} people are let in as {Path} has them, written {WrittenAt:u}; readings go to the ingest log")]
    private partial void LogFilled(int devices, int keys, int people, string path, DateTime writtenAt);

    [LoggerMessage(1151, LogLevel.Warning, "There is no mirror of credentials ({Path}): devices with tokens and API keys are refused until PostgreSQL answers")]
    private partial void LogNone(string path);

    [LoggerMessage(1152, LogLevel.Warning, "The mirror of credentials, {Path}, can't be used and is ignored: devices with tokens and API keys are refused until PostgreSQL answers. {Reason}")]
    private partial void LogUnusable(string path, string reason);

    [LoggerMessage(1153, LogLevel.Error, "The mirror of credentials, {Path}, can't be written; it is removed, and a start without PostgreSQL would let no tokens in. It tries on")]
    private partial void LogFailed(Exception exception, string path);

    [LoggerMessage(1154, LogLevel.Error, "The mirror of credentials, {Path}, is out of date: remove it by hand")]
    private partial void LogStale(Exception exception, string path);
}
