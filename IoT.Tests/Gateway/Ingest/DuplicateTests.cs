using IoT.Tests.Support;
using MQTTnet.Protocol;
using Xunit;

namespace IoT.Tests.Gateway.Ingest;

/// <summary>A message_id makes a reading one of its device's, however often and over whatever it is sent.</summary>
public sealed class DuplicateTests(SharedPlatform shared)
{
    [Fact]
    public async Task A_reading_that_is_sent_again_is_a_duplicate_and_stored_once()
    {
        var device = await shared.NewDeviceAsync();
        var sender = shared.As(device.Token);
        Assert.Equal("""{"accepted":1,"duplicates":0,"rejected":[]}""", (await sender.PostReadingAsync(Reading("one"))).Text);
        Assert.Equal("""{"accepted":0,"duplicates":1,"rejected":[]}""", (await sender.PostReadingAsync(Reading("one"))).Text);
        var mixed = await sender.PostReadingAsync($"[{Reading("one")},{Reading("two")},nonsense,{Reading("two")},{Reading(null)},{Reading(null)}]");
        Assert.Equal(3, mixed.Accepted);
        Assert.Equal(2, mixed.Json.GetProperty("duplicates").GetInt32());
        Assert.Equal(2, Assert.Single(mixed.Rejected).Index);
        Assert.Equal(4, await shared.StoredAsync(device.Id));
    }

    [Fact]
    public async Task An_id_belongs_to_its_device()
    {
        var (first, second) = (await shared.NewDeviceAsync(), await shared.NewDeviceAsync());
        Assert.Equal(1, (await shared.As(first.Token).PostReadingAsync(Reading("one"))).Accepted);
        Assert.Equal(1, (await shared.As(second.Token).PostReadingAsync(Reading("one"))).Accepted);
        Assert.Equal(1, await shared.StoredAsync(first.Id));
        Assert.Equal(1, await shared.StoredAsync(second.Id));
    }

    [Fact]
    public async Task The_id_of_a_reading_that_was_refused_is_not_taken()
    {
        var device = await shared.NewDeviceAsync();
        Assert.Equal(400, (await shared.As(device.Token).PostReadingAsync("""{"message_id":"one","data_type":"t","payload":7}""")).Status);
        Assert.Equal(403, (await shared.As((await shared.NewDeviceAsync()).Token).PostReadingAsync($$$"""{"device_id":"{{{device.Id}}}","message_id":"one","data_type":"t","payload":{}}""")).Status);
        Assert.Equal(1, (await shared.As(device.Token).PostReadingAsync(Reading("one"))).Accepted);
        Assert.Equal(1, await shared.StoredAsync(device.Id));
    }

    [Fact]
    public async Task Mqtt_acknowledges_a_duplicate_like_its_original_and_http_knows_what_came_over_mqtt()
    {
        var device = await shared.NewDeviceAsync();
        await using var mqtt = await MqttUser.ConnectAsync(shared, device.Id, device.Token);
        for (var i = 0; i < 3; i++)
            Assert.True((await mqtt.PublishAsync(device.Topic, Reading("one"), (MqttQualityOfServiceLevel)(1 + i % 2))).IsSuccess);
        Assert.Equal(1, (await shared.As(device.Token).PostReadingAsync(Reading("one"))).Json.GetProperty("duplicates").GetInt32());
        Assert.Equal(1, await shared.StoredAsync(device.Id));

        var metrics = (await shared.Client.ReadAsync("/metrics")).Text;
        Assert.Matches("(?m)^iot_message_cache_hits.* [1-9]", metrics);
        Assert.Matches("(?m)^iot_message_cache_misses.* [1-9]", metrics);
        Assert.Matches("(?m)^iot_message_cache_entries.* [1-9]", metrics);
    }

    [Fact]
    public async Task Many_at_once_with_one_id_are_stored_once()
    {
        var device = await shared.NewDeviceAsync();
        var sender = shared.As(device.Token);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => sender.PostReadingAsync($"[{Reading("a")},{Reading("b")}]")));
        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(2, answers.Sum(answer => answer.Accepted));
        Assert.Equal(2, await shared.StoredAsync(device.Id));
    }

    [Fact]
    public async Task A_batch_and_a_publish_that_are_sent_again_after_a_kill_are_stored_once()
    {
        await using var platform = new Platform();
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var batch = $"[{string.Join(",", Enumerable.Range(0, 10_000).Select(i => Reading($"batch-{i}")))}]";
        Assert.Equal(10_000, (await platform.As(device.Token).PostReadingAsync(batch)).Accepted);
        var replay = await platform.As(device.Token).PostReadingAsync(batch);
        Assert.Equal((0, 10_000), (replay.Accepted, replay.Json.GetProperty("duplicates").GetInt32()));
        await using (var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token))
            Assert.True((await mqtt.PublishAsync(device.Topic, Reading("published"))).IsSuccess);

        for (var round = 0; round < 2; round++)
        {
            // Whether the readings are in the database or only in the log by then.
            await platform.KillAsync();
            await platform.StartAsync();
            Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(batch)).Status);
            await using var mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
            Assert.True((await mqtt.PublishAsync(device.Topic, Reading("published"))).IsSuccess);
        }

        Assert.Equal(1, (await platform.As(device.Token).PostReadingAsync(Reading("last"))).Accepted);
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 10_002, "all of it once");
        Assert.Equal(10_002, await platform.ScalarAsync<long>("select count(*) from message_ids"));
        Assert.Matches("(?m)^iot_readings_duplicate.*database.* [1-9]", (await platform.Client.ReadAsync("/metrics")).Text);
    }

    [Fact]
    public async Task What_memory_no_longer_knows_the_database_does()
    {
        await using var platform = new Platform(("Gateway__MessageCacheSize", "1"));
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        for (var round = 0; round < 3; round++)
        {
            Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading("one"))).Status);
            Assert.Equal(200, (await platform.As(device.Token).PostReadingAsync(Reading("two"))).Status);
        }
        await Eventually.TrueAsync(async () => await platform.StoredAsync(device.Id) == 2, "each once");
    }

    internal static string Reading(string? messageId) =>
        messageId is null ? """{"data_type":"t","payload":{"x":1}}""" : $$$"""{"message_id":"{{{messageId}}}","data_type":"t","payload":{"x":1}}""";
}
