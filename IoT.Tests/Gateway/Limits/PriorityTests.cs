using System.Collections.Concurrent;
using IoT.Tests.Crash;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Limits;

/// <summary>On a host whose disk is so slow that requests queue.</summary>
public sealed class PriorityTests
{
    [Fact]
    public async Task Requests_with_a_reading_of_high_priority_are_admitted_before_those_that_wait()
    {
        using var shim = new Shim();
        await using var platform = new Platform([("Gateway__MaxConcurrentRequests", "4"), .. shim.Settings]);
        await platform.StartAsync();
        var device = await platform.NewDeviceAsync();
        var client = platform.As(device.Token);
        shim.SlowDown();

        var ended = new ConcurrentQueue<string>();
        var sending = Enumerable.Range(0, 16).Select(_ => SendAsync("normal", """{"data_type":"t","payload":{}}""")).ToList();
        await Eventually.TrueAsync(async () => await WaitingAsync("normal") >= 8, "normal requests in the queue");
        // A batch is as urgent as the most urgent in it.
        sending.AddRange(Enumerable.Range(0, 4).Select(_ => SendAsync("high", """[{"data_type":"t","payload":{}},{"data_type":"t","payload":{},"priority":"high"}]""")));
        await Task.WhenAll(sending);

        var order = ended.ToList();
        var behind = order.Skip(order.LastIndexOf("high") + 1).Count();
        Assert.True(behind >= 4, $"Ended in the order {string.Join(' ', order)}.");
        Assert.Equal(0, await WaitingAsync("high"));
        shim.Repair();

        Task<double> WaitingAsync(string priority) => platform.MetricAsync("iot_requests_waiting", $"gate=\"ingest\",priority=\"{priority}\"");

        async Task SendAsync(string name, string body)
        {
            var answer = await client.PostReadingAsync(body);
            // The last of the normal ones may have made room for an urgent one.
            Assert.True(answer.Status == 200 || (name == "normal" && answer.Status == 503), answer.ToString());
            if (answer.Status == 200)
                ended.Enqueue(name);
        }
    }
}
