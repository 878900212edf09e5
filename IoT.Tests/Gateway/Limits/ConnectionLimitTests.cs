using System.Net.Sockets;
using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Limits;

/// <summary>On a platform of its own: what another test holds open would take places.</summary>
public sealed class ConnectionLimitTests(LimitedPlatform platform) : IClassFixture<LimitedPlatform>
{
    [Fact]
    public async Task Mqtt_connections_over_the_limit_are_closed_and_counted_and_a_place_that_is_free_is_taken_again()
    {
        var before = await RefusedAsync();
        var open = new List<RawMqtt>();
        try
        {
            for (var n = 0; n < 12; n++)
                open.Add(await RawMqtt.ConnectAsync(platform, "admin", Platform.AdminKey, keepAliveSeconds: 0));
            Assert.True(await IsClosedAsync(), "One over the limit was let in.");
            await Eventually.TrueAsync(async () => await RefusedAsync() >= before + 1, "the count of refused connections");
            Assert.DoesNotContain(open, mqtt => mqtt.HasEnded);

            await open[0].DisposeAsync();
            await Eventually.TrueAsync(
                async () =>
                {
                    await using var again = await MqttUser.ConnectAsync(platform, "admin", Platform.AdminKey);
                    return true;
                },
                "a connection in the place that is free");
        }
        finally
        {
            foreach (var mqtt in open)
                await mqtt.DisposeAsync();
        }

        // The system may have connected it already, or not quite.
        async Task<bool> IsClosedAsync()
        {
            try
            {
                await using var over = await RawMqtt.OpenAsync(platform);
                return await over.IsClosedSilentlyAsync();
            }
            catch (SocketException)
            {
                return true;
            }
        }

        Task<double> RefusedAsync() => platform.MetricAsync("iot_connections_refused", "protocol=\"mqtt\"");
    }

    [Fact]
    public async Task Http_connections_over_the_limit_are_answered_503_and_counted()
    {
        Assert.Equal(200, (await platform.Client.ReadAsync("/health/live")).Status);
        var before = await platform.MetricAsync("iot_connections_refused", "protocol=\"http\"");
        var open = new List<TcpClient>();
        try
        {
            // Whoever has got in stays in; some places are taken by this test's own clients.
            var answer = "";
            while (!answer.Contains("503", StringComparison.Ordinal))
            {
                Assert.True(open.Count <= 12, "More connections than the limit.");
                open.Add(new TcpClient());
                await open[^1].ConnectAsync("127.0.0.1", platform.HttpPort, TestContext.Current.CancellationToken);
                answer = await AskAsync(open[^1]);
            }
            Assert.Contains("urn:iot:problem:busy", answer, StringComparison.Ordinal);
            Assert.Contains("Retry-After: 2", answer, StringComparison.Ordinal);
            Assert.Contains("200 OK", await AskAsync(open[0]), StringComparison.Ordinal);
            await Eventually.TrueAsync(async () => await platform.MetricAsync("iot_connections_refused", "protocol=\"http\"") >= before + 1, "the count of refused connections");
        }
        finally
        {
            foreach (var client in open)
                client.Dispose();
        }
        await Eventually.TrueAsync(async () => (await platform.As(null).ReadAsync("/health/live")).Status == 200, "a place for another connection");
    }

    private static async Task<string> AskAsync(TcpClient client)
    {
        await client.GetStream().WriteAsync("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        var answer = new byte[4096];
        var length = 0;
        while (!Encoding.ASCII.GetString(answer, 0, length).Contains("\r\n\r\n", StringComparison.Ordinal) || (length < 300 && answer.AsSpan(0, length).IndexOf("503"u8) >= 0))
        {
            var read = await client.GetStream().ReadAsync(answer.AsMemory(length), TestContext.Current.CancellationToken);
            if (read == 0)
                break;
            length += read;
        }
        return Encoding.ASCII.GetString(answer, 0, length);
    }
}
