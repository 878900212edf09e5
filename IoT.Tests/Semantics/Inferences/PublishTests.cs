using System.Text.Json;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Inferences;

public sealed class PublishTests(SharedPlatform platform)
{
    [Fact]
    public async Task Subscribers_are_told_when_an_inference_is_raised_and_cleared()
    {
        await using var site = new Site(platform);
        var device = await platform.NewDeviceAsync();
        await site.PutModelAsync($"device:{device.Id} t:limit 30 .");
        await site.PutRulesAsync("# @name hot\n{ ?d t:limit ?most ; metric:temperature ?v . ?v math:greaterThan ?most } => { ?d t:is t:Hot } .");
        var key = await platform.NewKeyAsync("viewer");
        await using var listener = await MqttUser.ConnectAsync(platform, key.Name, key.Key);
        await listener.SubscribeAsync($"inferences/device/{device.Id}");
        await site.SendAsync(device, """{"temperature":31}""");
        await Eventually.TrueAsync(() => Task.FromResult(listener.Received.Count == 1), "the inference raised");
        await site.SendAsync(device, """{"temperature":29}""");
        await Eventually.TrueAsync(() => Task.FromResult(listener.Received.Count == 2), "the inference cleared");

        var told = listener.Received.ToList();
        Assert.All(told, message => Assert.Equal($"inferences/device/{device.Id}", message.Topic));
        var (raised, cleared) = (JsonDocument.Parse(told[0].Payload).RootElement, JsonDocument.Parse(told[1].Payload).RootElement);
        Assert.Equal((true, false), (raised.GetProperty("active").GetBoolean(), cleared.GetProperty("active").GetBoolean()));
        Assert.Equal(raised.GetProperty("id").GetGuid(), cleared.GetProperty("id").GetGuid());
        Assert.Contains("reading_id", raised.GetProperty("because").GetRawText(), StringComparison.Ordinal);

        await using var other = await MqttUser.ConnectAsync(platform, device.Id, device.Token);
        Assert.NotEqual(MQTTnet.MqttClientSubscribeResultCode.GrantedQoS1, await other.SubscribeAsync("inferences/#"));
    }
}
