using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using IoT.Host.Settings;
using IoT.Modules.Gateway;

namespace IoT.Host.Operations;

/// <summary>
/// <c>--health live</c> and <c>--health ready</c>: asks the host that runs beside it with the same settings, and exits with 0 or 1.
/// For the health checks of a container image, which has no curl.
/// </summary>
internal static class HealthProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static bool IsAskedFor(string[] args) => args is ["--health", "live" or "ready", ..];

    public static async Task<int> RunAsync(string[] args)
    {
        var settings = new ConfigurationBuilder().AddEnvironmentSettings().AddCommandLine(args[2..]).Build();
        var listen = settings.GetSection(ListenOptions.Section).Get<ListenOptions>() ?? new();
        var host = listen.Address switch
        {
            "0.0.0.0" or "localhost" => "127.0.0.1",
            "::" => "::1",
            var address => address,
        };
        try
        {
            return await AnswersAsync(listen, host, args[1]) ? 0 : 1;
        }
        catch (Exception exception) when (exception is HttpRequestException or SocketException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return 1;
        }
    }

    private static async Task<bool> AnswersAsync(ListenOptions listen, string host, string question)
    {
        using var timeout = new CancellationTokenSource(Patience);
        if (listen.Http == 0 && listen.Https != 0)
        {
            // The certificate is for another name than this, and of a CA that this machine need not know: it has to be just that one.
            using var own = X509CertificateLoader.LoadCertificateFromFile(listen.CertificatePath!);
            using var https = new HttpClient(new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null && shown.GetRawCertData().AsSpan().SequenceEqual(own.RawData) },
            });
            return await AsksAsync(https, "https", listen.Https);
        }
        if (listen.Http == 0)
        {
            // Nobody to ask; that MQTT is let in is the best there is.
            using var mqtt = new TcpClient();
            await mqtt.ConnectAsync(host, listen.Mqtt != 0 ? listen.Mqtt : listen.MqttTls, timeout.Token);
            return true;
        }
        // A proxy among the environment variables is for the world outside.
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        return await AsksAsync(http, "http", listen.Http);

        async Task<bool> AsksAsync(HttpClient client, string scheme, int port)
        {
            using var answer = await client.GetAsync(new UriBuilder(scheme, host, port, $"health/{question}").Uri, timeout.Token);
            await Console.Out.WriteLineAsync(await answer.Content.ReadAsStringAsync(timeout.Token));
            return answer.IsSuccessStatusCode;
        }
    }
}
