using IoT.Tests.Operations;
using IoT.Tests.Support;
using Npgsql;
using Xunit;

namespace IoT.Tests.Storage.Database;

/// <summary>With <c>ConnectionStrings__Postgres</c>.</summary>
public sealed class GivenPostgresTests
{
    [Fact]
    public async Task The_host_may_start_first_and_makes_no_cluster_of_its_own()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.LaunchAsync();
        await Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/live")).Status == 200, "the host's life");
        var notReady = await platform.Stranger.ReadAsync("/health/ready");
        Assert.Equal((503, "not ready"), (notReady.Status, notReady.Json.GetProperty("status").GetString()));
        Assert.Equal(200, (await platform.Client.PostReadingAsync("""{"device_id":"d","data_type":"early","payload":{}}""")).Status);
        var list = await platform.Client.ReadAsync("/api/v1/devices");
        Assert.Equal((503, "urn:iot:problem:unavailable"), (list.Status, list.Problem));
        Assert.NotNull(list.Headers.RetryAfter);

        await postgres.StartAsync();
        await platform.ReadyAsync();
        await Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/ready")).Status == 200, "readiness");
        Assert.Equal(200, (await platform.Client.PostReadingAsync("""{"device_id":"d","data_type":"t","payload":{}}""")).Status);
        await Eventually.TrueAsync(
            async () => await Support.Database.ScalarAsync<string[]>(postgres.ConnectionString, "select array_agg(data_type order by id) from device_data") is ["early", "t"],
            "both readings");

        Assert.False(Directory.Exists(Path.Combine(platform.DataDirectory, "postgres")));
        Assert.Equal(0, await platform.StopAsync());
        Assert.Equal(1, await Support.Database.ScalarAsync<int>(postgres.ConnectionString + ";Pooling=false", "select 1"));
    }

    [Fact]
    public async Task Readings_are_taken_while_it_is_away_and_each_is_stored_once()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await using var publisher = new Publisher(platform, device);
        await publisher.ConnectAsync();
        var sending = publisher.SendAsync(5_000);
        await Eventually.TrueAsync(() => Task.FromResult(publisher.Acknowledged.Count >= 500), "some acknowledgements");

        await postgres.StopAsync();
        await Eventually.TrueAsync(async () => (await platform.Stranger.ReadAsync("/health/ready")).Status == 503, "that the host says it isn't ready");
        Assert.Equal(5_000, await sending);
        Assert.Equal(5_000, publisher.Acknowledged.Count);
        Assert.Equal(503, (await platform.Client.ReadAsync($"/api/v1/devices/{device.Id}")).Status);

        await postgres.StartAsync();
        await publisher.AssertKeptOnceAsync(postgres.ConnectionString);
    }

    [Fact]
    public async Task A_newer_schema_is_refused()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await platform.StartAsync();
        Assert.Equal(0, await platform.StopAsync());
        await Support.Database.ScalarAsync<int>(postgres.ConnectionString + ";Pooling=false", "insert into schema_migrations (version, name) values (9999, 'from the future') returning version");

        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());
        var line = Assert.Single(platform.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("9999", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", platform.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Password", "wrong")]
    [InlineData("Database", "nowhere")]
    public async Task What_PostgreSQL_refuses_is_said_in_one_line_without_the_password(string key, string value)
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        var wrong = new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { [key] = value };
        await using var platform = new Platform(("ConnectionStrings__Postgres", wrong.ConnectionString));
        await platform.LaunchAsync();
        Assert.Equal(1, await platform.ExitAsync());
        var line = Assert.Single(platform.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("PostgreSQL at", line, StringComparison.Ordinal);
        Assert.DoesNotContain("given", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_hosts_may_prepare_an_empty_database_at_once()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var one = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await using var two = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString));
        await Task.WhenAll(one.StartAsync(), two.StartAsync());
        Assert.Equal(200, (await one.Client.PostReadingAsync("""{"device_id":"d","data_type":"t","payload":{}}""")).Status);
        Assert.Equal(200, (await two.Client.PostReadingAsync("""{"device_id":"d","data_type":"t","payload":{}}""")).Status);
        await Eventually.TrueAsync(async () => await Support.Database.ScalarAsync<long>(postgres.ConnectionString, "select count(*) from device_data") == 2, "both readings");
    }
}
