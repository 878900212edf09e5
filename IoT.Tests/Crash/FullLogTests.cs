using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Crash;

/// <summary>PostgreSQL stays away until the ingest log has no room left.</summary>
public sealed class FullLogTests
{
    private const int Publishes = 25;

    // Large ones fill 256 MiB soon, and a connection whose reading has stopped can't hide this many in its buffers.
    private static readonly string Filler = new('x', 900_000);

    [Fact]
    public async Task A_full_log_takes_nothing_says_so_and_goes_on_by_itself()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString), ("Gateway__IngestLogMiB", "256"));
        await platform.StartAsync();
        var posted = new Numbers(await platform.NewDeviceAsync());
        var published = new Numbers(await platform.NewDeviceAsync());
        var http = platform.As(posted.Device.Token);
        await using var pipe = await MqttPipe.ConnectAsync(platform.MqttPort, published.Device.Id, published.Device.Token, cancellation);
        await postgres.StopAsync();

        Answer answer;
        while ((answer = await PostAsync(count: 8)).Status == 200)
            Assert.True(posted.Sent < 1_000, "256 MiB take a thousand readings of 900 kB.");
        // Less may still fit than eight.
        while (answer.Status == 200)
            answer = await PostAsync(count: 1);
        Assert.Equal(503, answer.Status);
        while ((answer = await PostAsync(count: 1)).Status == 200)
            Assert.True(posted.Sent < 1_000, "256 MiB take a thousand readings of 900 kB.");
        Assert.Equal(503, answer.Status);
        Assert.NotNull(answer.Headers.RetryAfter);

        var sending = PublishAsync();
        var acknowledged = pipe.AcknowledgementAsync(cancellation);
        for (var i = 0; i < 20; i++)
        {
            answer = await PostAsync(count: 1);
            Assert.Equal(503, answer.Status);
            Assert.NotNull(answer.Headers.RetryAfter);
        }
        var (status, description) = await platform.IngestHealthAsync();
        Assert.Equal("degraded", status);
        Assert.StartsWith("FULL", description, StringComparison.Ordinal);
        Assert.Equal(200, (await platform.Stranger.ReadAsync("/health/live")).Status);
        // Held back, neither acknowledged nor refused, and the rest stays with the sender.
        Assert.False(acknowledged.IsCompleted);
        Assert.False(sending.IsCompleted);

        await postgres.StartAsync();
        await sending;
        for (var number = 1; number <= Publishes; number++)
        {
            Assert.Equal(((ushort)number, (byte)0), number == 1 ? await acknowledged : await pipe.AcknowledgementAsync(cancellation));
            published.Acknowledge(number);
        }
        await Eventually.TrueAsync(async () => (await PostAsync(count: 1)).Status == 200, "room over HTTP", TimeSpan.FromSeconds(60));
        var verdict = await Oracle.SettledAsync(postgres.ConnectionString, [posted, published]);
        Assert.True(verdict.IsClean, verdict.ToString());
        // What was refused is not there either.
        Assert.Equal(verdict.Acknowledged, verdict.Stored);
        await platform.DrainedAsync();
        Assert.Equal("healthy", (await platform.IngestHealthAsync()).Status);

        async Task<Answer> PostAsync(int count)
        {
            var numbers = Enumerable.Range(0, count).Select(_ => posted.Next()).ToList();
            var body = Encoding.UTF8.GetBytes(string.Join('\n', numbers.Select(n => posted.Body(n, Filler))));
            var result = await http.PostReadingAsync(body, "application/x-ndjson");
            if (result.Status == 200)
                numbers.ForEach(posted.Acknowledge);
            return result;
        }

        async Task PublishAsync()
        {
            for (var i = 0; i < Publishes; i++)
            {
                var number = published.Next();
                await pipe.PublishAsync(published.Device.Topic, published.Body(number, Filler), (ushort)number, cancellation);
            }
        }
    }
}
