using System.Globalization;
using System.Net.Http.Headers;
using IoT.Modules.Storage.PrivatePostgres;
using Npgsql;
using Xunit;

namespace IoT.Tests.Support;

/// <summary>
/// An installation of the published host: a data directory, ports and settings of its own, and the process while it runs. It can be
/// stopped, killed and started again; disposal ends the host and its PostgreSQL and removes the directory.
/// </summary>
public class Platform : IAsyncDisposable
{
    public const string AdminKey = "the-admin-key-of-the-tests";
    public const string AdminPassword = "the-password-of-the-tests";

    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(60);
    private static int _lastId;

    private readonly string _top = Directory.CreateTempSubdirectory("iot-").FullName;
    private readonly List<HttpClient> _clients = [];
    private readonly Dictionary<string, string> _settings;
    private HostProcess? _host;

    /// <param name="settings">On top of a free port each, a data directory, an admin key and password; an empty value takes one away.</param>
    public Platform(params (string Key, string Value)[] settings)
    {
        // The server's unprivileged user must get through.
        File.SetUnixFileMode(_top, (UnixFileMode)0b111_001_001);
        DataDirectory = Path.Combine(_top, "data");
        HttpPort = FreePort.Next();
        MqttPort = FreePort.Next();
        _settings = new Dictionary<string, string>
        {
            ["Data__Directory"] = DataDirectory,
            ["Listen__Http"] = HttpPort.ToString(CultureInfo.InvariantCulture),
            ["Listen__Mqtt"] = MqttPort.ToString(CultureInfo.InvariantCulture),
            ["Security__AdminApiKey"] = AdminKey,
            // Other tests keep the machine busy; what a query waits for is not how fast it comes.
            ["Gateway__QueryPatienceMs"] = "30000",
            // Small segments: a host writes two ahead at its first start.
            ["Gateway__IngestLogMiB"] = "256",
            ["Security__AdminPassword"] = AdminPassword,
            // Tests of other things send as fast as they can; those of the rate set one of their own.
            ["Gateway__DeviceReadingsPerSecond"] = "1000000",
            ["Gateway__DeviceBurst"] = "1000000",
        };
        foreach (var (key, value) in settings)
            Set(key, value);
        Client = As(AdminKey);
        Stranger = As(null);
    }

    public string DataDirectory { get; }

    public int HttpPort { get; }

    public int MqttPort { get; }

    public string BaseUrl => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HttpPort}");

    /// <summary>With the admin key.</summary>
    public HttpClient Client { get; }

    /// <summary>Without credentials.</summary>
    public HttpClient Stranger { get; }

    public int Pid => Running.Pid;

    /// <summary>What the host has written to stdout since it was started last.</summary>
    public string Output => Running.Output;

    public string Errors => Running.Errors;

    public string LogPath => Running.LogPath;

    /// <summary>The lines that it printed when it was ready.</summary>
    public IReadOnlyList<string> ReadyBlock { get; private set; } = [];

    /// <summary>For psql.</summary>
    public string ConnectionUri => File.ReadAllText(Path.Combine(DataDirectory, "postgres", "connection")).Trim();

    /// <summary>For Npgsql: the same, over TCP.</summary>
    public string ConnectionString
    {
        get
        {
            var uri = new Uri(ConnectionUri);
            var user = uri.UserInfo.Split(':');
            return new NpgsqlConnectionStringBuilder
            {
                Host = uri.Host,
                Port = uri.Port,
                Username = Uri.UnescapeDataString(user[0]),
                Password = Uri.UnescapeDataString(user[1]),
                Database = uri.AbsolutePath.Trim('/'),
                Pooling = false,
                Timeout = 60,
                CommandTimeout = 120,
            }.ConnectionString;
        }
    }

    private HostProcess Running => _host ?? throw new InvalidOperationException("The host has not been started.");

    private string Cluster => Path.Combine(DataDirectory, "postgres", "cluster");

    /// <summary>A device id that no other test has.</summary>
    public static string NewId(string what = "device") =>
        string.Create(CultureInfo.InvariantCulture, $"{what}-{Interlocked.Increment(ref _lastId)}");

    /// <summary>Before the next start. An empty value takes the setting away.</summary>
    public void Set(string key, string value)
    {
        if (value.Length == 0)
            _settings.Remove(key);
        else
            _settings[key] = value;
    }

    /// <summary>Starts the host and waits until it says that it is ready.</summary>
    public async Task StartAsync()
    {
        await LaunchAsync();
        ReadyBlock = await Running.ReadyAsync(LongestStart);
    }

    /// <summary>Starts the host without waiting.</summary>
    public async Task LaunchAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
        _host = new HostProcess(_settings);
    }

    /// <summary>Waits for a host that was started without waiting.</summary>
    public async Task ReadyAsync() => ReadyBlock = await Running.ReadyAsync(LongestStart);

    /// <summary>SIGTERM; answers the exit code.</summary>
    public async Task<int> StopAsync()
    {
        Running.Terminate();
        return await ExitAsync();
    }

    /// <summary>SIGTERM, without waiting.</summary>
    public void Terminate() => Running.Terminate();

    /// <summary>SIGKILL to the host alone; its PostgreSQL is left behind.</summary>
    public async Task KillAsync()
    {
        Running.Kill();
        await ExitAsync();
    }

    /// <summary>Waits for the end of the host.</summary>
    public Task<int> ExitAsync() => Running.ExitAsync(LongestStop);

    /// <summary>The private server's main process, by its pid file.</summary>
    public int PostmasterPid() => int.Parse(File.ReadLines(Path.Combine(Cluster, "postmaster.pid")).First(), CultureInfo.InvariantCulture);

    public void KillPostmaster() => Posix.Signal(PostmasterPid(), Posix.SigKill);

    /// <summary>PostgreSQL processes, of any kind, on this installation's cluster.</summary>
    public IReadOnlyList<int> PostgresProcesses() =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(pid => pid != 0 && new FileInfo($"/proc/{pid}/cwd").LinkTarget == Cluster && Posix.IsAlive(pid))];

    /// <summary>The most memory the host has held at once, in bytes.</summary>
    public long PeakMemory() => 1024 * long.Parse(
        File.ReadLines($"/proc/{Pid}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);

    /// <summary>A client with that token or key.</summary>
    public HttpClient As(string? token)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = new Uri(BaseUrl),
            Timeout = TimeSpan.FromSeconds(120),
        };
        if (token is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        lock (_clients)
            _clients.Add(client);
        return client;
    }

    /// <summary>A device of the test's own, and its token.</summary>
    public async Task<TestDevice> NewDeviceAsync(string what = "device")
    {
        var created = await Client.PostJsonAsync("/api/v1/devices", new { id = NewId(what) });
        Assert.Equal(201, created.Status);
        return new TestDevice(created.Json.GetProperty("id").GetString()!, created.Json.GetProperty("token").GetString()!);
    }

    /// <summary>A key of that role.</summary>
    public async Task<(string Name, string Key)> NewKeyAsync(string role)
    {
        var created = await Client.PostJsonAsync("/api/v1/api-keys", new { name = NewId(role), role });
        Assert.Equal(201, created.Status);
        return (created.Json.GetProperty("name").GetString()!, created.Json.GetProperty("key").GetString()!);
    }

    /// <summary>The sum of a metric's series that have that label.</summary>
    public async Task<double> MetricAsync(string name, string label = "") =>
        (await Client.ReadAsync("/metrics")).Text.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) && line.Contains(label, StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));

    /// <summary>One value from the database.</summary>
    public Task<T> ScalarAsync<T>(string sql, params object[] parameters) => Database.ScalarAsync<T>(ConnectionString, sql, parameters);

    /// <summary>Readings that the database holds of a device, everything acknowledged by now among them: a query waits for it.</summary>
    public async Task<long> StoredAsync(string deviceId)
    {
        await Client.ReadAsync($"/api/v1/devices/{deviceId}");
        return await ScalarAsync<long>("select count(*) from device_data join devices on devices.id = device_id where external_id = $1", deviceId);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_host is not null)
            await _host.DisposeAsync();
        foreach (var pid in PostgresProcesses())
            Posix.Signal(pid, Posix.SigKill);
        foreach (var client in _clients)
            client.Dispose();
        await Eventually.TrueAsync(() => Task.FromResult(PostgresProcesses().Count == 0), "PostgreSQL's end");
        Directory.Delete(_top, recursive: true);
    }
}

/// <summary>A device and its token.</summary>
public sealed record TestDevice(string Id, string Token)
{
    public string Topic => $"devices/{Id}/data";
}
