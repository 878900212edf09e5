using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using IoT.Modules.Storage.PrivatePostgres;
using Npgsql;

namespace IoT.Benchmarks.Runner;

/// <summary>The published host with a data directory and ports of its own, limits out of the way.</summary>
internal sealed class HostUnderTest : IAsyncDisposable
{
    public const string AdminKey = "the-admin-key-of-the-benchmarks";
    private const int SigTerm = 15;
    private const string Assembly = "artifacts/host/IoT.Host.dll";
    private const string Ready = "IoT platform is ready";
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(100);

    private readonly WorkFolder _folder;
    private readonly Process _process;
    private readonly StreamWriter _log;
    private readonly Task _reading;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _client;

    private HostUnderTest(WorkFolder folder, string name, IReadOnlyDictionary<string, string> settings)
    {
        (_folder, Name) = (folder, name);
        DataDirectory = Path.Combine(folder.Path, name);
        HttpPort = FreePort();
        MqttPort = FreePort();
        _log = new StreamWriter(Path.Combine(folder.Path, $"{name}.log")) { AutoFlush = true };
        var start = new ProcessStartInfo("dotnet", [Path.GetFullPath(Assembly)]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var inherited in start.Environment.Keys.Where(key => key.Contains("__", StringComparison.Ordinal) || key.StartsWith("ASPNETCORE", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(inherited);
        start.Environment["Data__Directory"] = DataDirectory;
        start.Environment["Listen__Http"] = HttpPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["Listen__Mqtt"] = MqttPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["Listen__Coap"] = "0";
        start.Environment["Security__AdminApiKey"] = AdminKey;
        start.Environment["Security__AnonymousDevices"] = "true";
        start.Environment["Gateway__DeviceReadingsPerSecond"] = "1000000";
        start.Environment["Gateway__DeviceBurst"] = "10000000";
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
        _client = new HttpClient { BaseAddress = new Uri(FormattableString.Invariant($"http://127.0.0.1:{HttpPort}")), Timeout = TimeSpan.FromSeconds(30) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", AdminKey);
    }

    public string Name { get; }

    public string DataDirectory { get; }

    public int HttpPort { get; }

    public int MqttPort { get; }

    public int Pid => _process.Id;

    /// <summary>The folder of the private server; it stays when the host is gone.</summary>
    public string ServerFolder => Path.Combine(DataDirectory, "postgres");

    public static async Task<HostUnderTest> StartAsync(WorkFolder folder, string name, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var host = new HostUnderTest(folder, name, settings);
        try
        {
            var first = await Task.WhenAny(host._ready.Task, host._process.WaitForExitAsync(cancellationToken)).WaitAsync(LongestStart, TimeProvider.System, cancellationToken);
            await first;
            if (first != host._ready.Task)
                throw new InvalidOperationException($"The host ended before it was ready: {await folder.KeepAsync(host.LogName)}");
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>The private server's address for Npgsql.</summary>
    public string ConnectionString => ServerAddress.Of(ServerFolder, port: null);

    public int Postmaster => int.Parse(File.ReadLines(Path.Combine(ServerFolder, "cluster", "postmaster.pid")).First(), CultureInfo.InvariantCulture);

    /// <summary>With the admin key.</summary>
    public HttpClient Client => _client;

    /// <summary>The sum of a metric's series on /metrics; null when there is none.</summary>
    public async Task<double?> MetricAsync(string name, CancellationToken cancellationToken)
    {
        var text = await _client.GetStringAsync(new Uri("/metrics", UriKind.Relative), cancellationToken);
        double? sum = null;
        foreach (var line in text.Split('\n'))
        {
            if (!line.StartsWith(name, StringComparison.Ordinal) || line.Length == name.Length || line[name.Length] is not ('{' or ' '))
                continue;
            var value = line[(line.IndexOf('}', StringComparison.Ordinal) + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).First(part => char.IsDigit(part[0]));
            sum = (sum ?? 0) + double.Parse(value, CultureInfo.InvariantCulture);
        }
        return sum;
    }

    /// <summary>
    /// Until nothing is in flight: committed, by the host's own ledger. Ids say less: a batch takes them before its readings are in the
    /// table, and would fill it after it has been cleared.
    /// </summary>
    public async Task StoredAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (await InFlightAsync(cancellationToken) is > 0 and var left)
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
                throw new TimeoutException($"{left} readings are not stored after {limit.TotalSeconds} s.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
        }
    }

    /// <summary>SIGTERM, as an operator would.</summary>
    public async Task StopAsync()
    {
        if (!_process.HasExited)
            Posix.Signal(_process.Id, SigTerm);
        using var enough = new CancellationTokenSource(LongestStop, TimeProvider.System);
        await _process.WaitForExitAsync(enough.Token);
        await _reading;
        if (_process.ExitCode != 0)
            throw new InvalidOperationException($"The host ended with exit code {_process.ExitCode}: {await _folder.KeepAsync(LogName)}");
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (!_process.HasExited)
        {
            Posix.Signal(_process.Id, SigTerm);
            using var enough = new CancellationTokenSource(LongestStop, TimeProvider.System);
            try
            {
                await _process.WaitForExitAsync(enough.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
                await _process.WaitForExitAsync(CancellationToken.None);
                if (File.Exists(Path.Combine(ServerFolder, "cluster", "postmaster.pid")))
                    Posix.Signal(Postmaster, Posix.SigQuit);
            }
        }
        await _reading;
        await _log.DisposeAsync();
        _process.Dispose();
    }

    /// <summary>A loopback port that nothing listens on.</summary>
    public static int FreePort()
    {
        while (true)
        {
            // Below those that the system takes for outgoing connections.
            var port = Random.Shared.Next(15_000, 30_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }

    private async Task<long> InFlightAsync(CancellationToken cancellationToken)
    {
        await using var answer = await _client.GetStreamAsync(new Uri("/api/v1/ledger?limit=1", UriKind.Relative), cancellationToken);
        using var ledger = await JsonDocument.ParseAsync(answer, default, cancellationToken);
        return ledger.RootElement.GetProperty("total").GetProperty("in_flight").GetInt64();
    }

    private string LogName => $"{Name}.log";

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
        {
            lock (_log)
                _log.WriteLine(line);
            if (line.Contains(Ready, StringComparison.Ordinal))
                _ready.TrySetResult();
        }
    }
}

/// <summary>Reads the address that the host leaves beside its private server.</summary>
internal static class ServerAddress
{
    public static string Of(string serverFolder, int? port)
    {
        var uri = new Uri(File.ReadAllText(Path.Combine(serverFolder, "connection")).Trim());
        var user = uri.UserInfo.Split(':');
        return new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host,
            Port = port ?? uri.Port,
            Username = Uri.UnescapeDataString(user[0]),
            Password = Uri.UnescapeDataString(user[1]),
            Database = uri.AbsolutePath.Trim('/'),
            Timeout = 30,
            CommandTimeout = 300,
        }.ConnectionString;
    }
}
