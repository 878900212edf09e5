using System.Reflection;
using IoT.Modules.Gateway;
using IoT.Modules.Storage.Contracts;

namespace IoT.Host.Operations;

/// <summary>
/// One block on stdout once everything is up: where the page is, how to sign in, and two lines that work when pasted. They send as a
/// sample device whose token is kept in the data directory; it is registered with its first reading.
/// </summary>
internal sealed class ReadyMessage(
    StorageReadiness readiness, FirstAdminLogin login, DeviceDirectory devices, ListenOptions listen, DataOptions data, SecurityOptions security,
    IHostApplicationLifetime lifetime) : BackgroundService
{
    /// <summary>The line that says that the host is ready; scripts wait for it.</summary>
    public const string Marker = "IoT platform is ready";

    public const string SampleDevice = "sample";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await readiness.Ready.WaitAsync(stoppingToken);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (lifetime.ApplicationStarted.Register(started.SetResult))
            await started.Task.WaitAsync(stoppingToken);
        await Console.Out.WriteLineAsync(string.Join(Environment.NewLine, Lines(await SampleTokenAsync(stoppingToken))));
    }

    public static string Version =>
        Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private IEnumerable<string> Lines(string? token)
    {
        var host = listen.Address is "0.0.0.0" or "::" ? "localhost" : listen.Address;
        var urlHost = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        yield return "";
        yield return $"{Marker} (version {Version})";
        if (listen.Http != 0)
            yield return $"  page   http://{urlHost}:{listen.Http}/";
        if (listen.Https != 0)
            yield return $"  page   https://{urlHost}:{listen.Https}/";
        if (login.GeneratedPassword is { } password)
            yield return $"  login  {FirstAdminLogin.Name} / {password}   (shown this once)";
        if (listen.Mqtt != 0)
            yield return $"  mqtt   {urlHost}:{listen.Mqtt}";
        if (listen.MqttTls != 0)
            yield return $"  mqtts  {urlHost}:{listen.MqttTls}";
        yield return "  try";
        var identified = token is null ? "" : $" -H 'Authorization: Bearer {token}'";
        if (listen.Http != 0)
            yield return $"    curl -s http://{urlHost}:{listen.Http}/api/v1/data{identified} -H 'Content-Type: application/json' -d '{{\"device_id\":\"{SampleDevice}\",\"data_type\":\"climate\",\"payload\":{{\"temperature\":21.5}}}}'";
        identified = token is null ? "" : $" -u {SampleDevice} -P {token}";
        if (listen.Mqtt != 0)
            yield return $"    mosquitto_pub -h {host} -p {listen.Mqtt}{identified} -t devices/{SampleDevice}/data -q 1 -m '{{\"data_type\":\"climate\",\"payload\":{{\"temperature\":21.6}}}}'";
        yield return "";
    }

    /// <summary>The sample device's token; null when it sends without one, or when someone has given it another.</summary>
    private async Task<string?> SampleTokenAsync(CancellationToken cancellationToken)
    {
        var device = devices.Find(SampleDevice);
        if (security.AnonymousDevices && device?.TokenHash is null)
            return null;
        var path = Path.Combine(data.KeysDirectory().FullName, "sample-device-token");
        if (!File.Exists(path))
        {
            await using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            await file.WriteAsync(System.Text.Encoding.ASCII.GetBytes(Secrets.NewToken()), cancellationToken);
        }
        var token = await File.ReadAllTextAsync(path, cancellationToken);
        device = devices.Provision(SampleDevice, token);
        return DeviceDirectory.Verify(device, System.Text.Encoding.ASCII.GetBytes(token)) ? token : "THE-TOKEN-OF-THE-DEVICE";
    }
}

internal static class ReadyMessageSetup
{
    public static void AddReadyMessage(this IServiceCollection services) => services.AddHostedService<ReadyMessage>();
}
