using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Operations;

/// <summary>What was acknowledged is in the database once, whatever is stopped or killed.</summary>
public sealed class StopAndKillTests
{
    private const int Count = 10_000;

    [Fact]
    public async Task A_stop_in_the_middle_of_ten_thousand_publishes_drains()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await using var publisher = new Publisher(platform, device);
        await publisher.ConnectAsync();

        var sending = publisher.SendAsync(Count);
        await SomeAsync(publisher, 1_500);
        var postgres = platform.PostmasterPid();
        Assert.Equal(0, await platform.StopAsync());
        await sending;

        Assert.InRange(publisher.Acknowledged.Count, 1_500, Count - 1);
        Assert.Empty(platform.PostgresProcesses());
        Assert.False(Directory.Exists($"/proc/{postgres}"));

        await platform.StartAsync();
        await publisher.AssertKeptOnceAsync();
    }

    [Fact]
    public async Task A_stop_answers_a_request_that_is_under_way()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var sender = platform.As(device.Token);
        var accepted = 0;
        var sending = Enumerable.Range(0, 4).Select(async _ =>
        {
            try
            {
                while ((await sender.PostReadingAsync("""[{"data_type":"t","payload":{}},{"data_type":"t","payload":{}}]""")).Status == 200)
                    Interlocked.Add(ref accepted, 2);
            }
            catch (HttpRequestException)
            {
                // The host no longer listens.
            }
        }).ToList();
        await Eventually.TrueAsync(() => Task.FromResult(Volatile.Read(ref accepted) > 200), "some requests");
        Assert.Equal(0, await platform.StopAsync());
        await Task.WhenAll(sending);

        await platform.StartAsync();
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) >= accepted, "everything accepted");
        Assert.InRange(await platform.StoredAsync(device.Id), accepted, accepted + 8);
    }

    [Fact]
    public async Task A_killed_host_comes_back_with_everything_that_it_acknowledged()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        for (var round = 0; round < 2; round++)
        {
            await using var publisher = new Publisher(platform, device);
            await publisher.ConnectAsync();
            var sending = publisher.SendAsync(Count);
            await SomeAsync(publisher, 1_000);
            await platform.KillAsync();
            await sending;
            Assert.InRange(publisher.Acknowledged.Count, 1_000, Count - 1);

            await platform.StartAsync();
            await publisher.AssertKeptOnceAsync();
            await platform.ScalarAsync<long>("with gone as (delete from device_data returning 1) select count(*) from gone");
        }
    }

    [Fact]
    public async Task A_killed_PostgreSQL_holds_no_acknowledgement_up_and_loses_none()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await using var publisher = new Publisher(platform, device);
        await publisher.ConnectAsync();

        var sending = publisher.SendAsync(Count);
        await SomeAsync(publisher, 1_000);
        var killed = platform.PostmasterPid();
        platform.KillPostmaster();
        Assert.Equal(Count, await sending);
        Assert.Equal(Count, publisher.Acknowledged.Count);

        await Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/ready")).Status == 200, "readiness", TimeSpan.FromSeconds(60));
        Assert.NotEqual(killed, platform.PostmasterPid());
        await publisher.AssertKeptOnceAsync();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
        Assert.Equal(0, await platform.StopAsync());
    }

    [Fact]
    public async Task A_second_host_on_the_same_directory_is_refused()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        await using var second = new Platform(("Data__Directory", platform.DataDirectory));
        await second.LaunchAsync();
        Assert.Equal(1, await second.ExitAsync());
        var line = Assert.Single(second.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(platform.DataDirectory, line, StringComparison.Ordinal);
        Assert.Contains("Data__Directory", line, StringComparison.Ordinal);

        // The first one has not noticed.
        var device = await platform.NewDeviceAsync();
        Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""")).Status);
    }

    private static Task SomeAsync(Publisher publisher, int count) =>
        Eventually.TrueAsync(() => Task.FromResult(publisher.Acknowledged.Count >= count), $"{count} acknowledgements", TimeSpan.FromSeconds(60));
}
