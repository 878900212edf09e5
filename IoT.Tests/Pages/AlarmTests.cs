using IoT.Tests.Gateway.Mqtt.Conformance;
using IoT.Tests.Support;
using Microsoft.Playwright;
using Xunit;

namespace IoT.Tests.Pages;

/// <summary>Alarms on the page, of a platform whose PostgreSQL somebody else runs, and stops.</summary>
public sealed class AlarmTests(Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Alarms_stand_on_every_page_while_they_last_with_since_when_and_what_to_do()
    {
        await using var postgres = await GivenPostgres.MakeAsync();
        await postgres.StartAsync();
        await using var platform = new Platform(("ConnectionStrings__Postgres", postgres.ConnectionString), ("Gateway__StoppedLaneProbeSeconds", "1"), ("Gateway__MqttMaxQueuedMessages", "100"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        await using var visit = await browser.VisitAsync(platform: platform);
        await visit.SignInAsync();
        var alarms = visit.Page.Locator("#alarms");
        await Assertions.Expect(visit.Page.Locator("#components")).ToContainTextAsync("postgresql");
        await Assertions.Expect(alarms.Locator("[data-alarm=lane_stopped]")).ToHaveCountAsync(0);

        // A slow subscriber's messages are cut.
        await using (var admin = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5))
        {
            await admin.ConnectAsync("away", properties: Prop.SessionExpiry(60), user: "admin", password: Platform.AdminKey);
            await admin.SubscribeAsync("t", 1);
            await admin.DisconnectAsync();
        }
        await using (var admin = await MqttPeer.OpenAsync("127.0.0.1", platform.MqttPort, 5))
        {
            await admin.ConnectAsync("publisher", user: "admin", password: Platform.AdminKey);
            for (var n = 0; n < 101; n++)
                await admin.PublishAsync("t", "x", 1);
        }
        await Assertions.Expect(alarms.Locator("[data-alarm=mqtt_backlog_cut]")).ToContainTextAsync("key:admin/away", new LocatorAssertionsToContainTextOptions { Timeout = 60_000 });

        // Appears on a page that is open.
        await ChangeAsync("alter table device_data rename to taken_away");
        await platform.As(device.Token).PostReadingAsync("""{"data_type":"t","payload":{}}""");
        var stopped = alarms.Locator("[data-alarm=lane_stopped]");
        await Assertions.Expect(stopped).ToContainTextAsync("device_data", new LocatorAssertionsToContainTextOptions { Timeout = 60_000 });
        await Assertions.Expect(stopped).ToContainTextAsync("Mend the cause in the database");
        await Assertions.Expect(stopped.Locator("time")).ToContainTextAsync("UTC");
        await visit.PhotographAsync("alarms-overview");

        // And on the others; one that nothing else keeps current follows too.
        await visit.OpenAsync("/access");
        await Assertions.Expect(stopped).ToBeVisibleAsync();
        await visit.PhotographAsync("alarms-access");
        await ChangeAsync("alter table taken_away rename to device_data");
        await Assertions.Expect(stopped).ToHaveCountAsync(0, new LocatorAssertionsToHaveCountOptions { Timeout = 60_000 });
        visit.AssertClean(platform);

        // The page itself stays while PostgreSQL is away.
        await postgres.StopAsync();
        await Assertions.Expect(alarms.Locator("[data-alarm=postgresql_away]")).ToContainTextAsync("Start PostgreSQL", new LocatorAssertionsToContainTextOptions { Timeout = 60_000 });
        await visit.OpenAsync("/");
        await Assertions.Expect(alarms.Locator("[data-alarm=postgresql_away]")).ToBeVisibleAsync();
        await visit.PhotographAsync("alarms-postgresql");
        await postgres.StartAsync();
        await Assertions.Expect(alarms.Locator("[data-alarm=postgresql_away]")).ToHaveCountAsync(0, new LocatorAssertionsToHaveCountOptions { Timeout = 60_000 });

        Task ChangeAsync(string sql) => Database.RunAsync(postgres.ConnectionString, sql);
    }

    [Fact]
    public async Task Strangers_see_no_alarm()
    {
        Assert.Equal(302, (await browser.Platform.Stranger.ReadAsync("/alarms")).Status);
        Assert.DoesNotContain("id=\"alarms\"", (await browser.Platform.Stranger.ReadAsync("/login")).Text, StringComparison.Ordinal);
    }
}
