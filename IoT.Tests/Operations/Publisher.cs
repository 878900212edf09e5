using System.Collections.Concurrent;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Operations;

/// <summary>Sends numbered readings over one MQTT connection, pipelined, and remembers which were acknowledged.</summary>
internal sealed class Publisher(Platform platform, TestDevice device) : IAsyncDisposable
{
    private const int Window = 1_000;

    private readonly ConcurrentDictionary<int, bool> _acknowledged = new();
    private MqttUser? _mqtt;

    public IReadOnlyCollection<int> Acknowledged => [.. _acknowledged.Keys];

    public async Task ConnectAsync() => _mqtt = await MqttUser.ConnectAsync(platform, device.Id, device.Token);

    /// <summary>Until all are acknowledged or the connection has ended. Answers how many were sent.</summary>
    public async Task<int> SendAsync(int count)
    {
        using var window = new SemaphoreSlim(Window);
        var sends = new List<Task>(count);
        for (var n = 0; n < count; n++)
        {
            await window.WaitAsync(TestContext.Current.CancellationToken);
            if (!_mqtt!.IsConnected)
                break;
            sends.Add(SendOneAsync(n, window));
        }
        await Task.WhenAll(sends);
        return sends.Count;
    }

    /// <summary>Each number that was acknowledged comes to be in the database, and none is in it twice.</summary>
    public async Task AssertKeptOnceAsync(string? connectionString = null)
    {
        connectionString ??= platform.ConnectionString;
        int[] stored = [];
        await Eventually.TrueAsync(
            async () =>
            {
                stored = await Database.ScalarAsync<int[]>(connectionString,
                    "select coalesce(array_agg((payload->>'n')::int), '{}') from device_data join devices on devices.id = device_id where external_id = $1", device.Id);
                return !Acknowledged.Except(stored).Any();
            },
            "every acknowledged reading in the database", TimeSpan.FromSeconds(60));
        Assert.Equal(stored.Length, stored.Distinct().Count());
    }

    public async ValueTask DisposeAsync()
    {
        if (_mqtt is not null)
            await _mqtt.DisposeAsync();
    }

    private async Task SendOneAsync(int n, SemaphoreSlim window)
    {
        try
        {
            if ((await _mqtt!.PublishAsync(device.Topic, $$$"""{"data_type":"n","payload":{"n":{{{n}}}}}""")).IsSuccess)
                _acknowledged[n] = true;
        }
        catch (Exception e) when (e is not OperationCanceledException || !TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            // Not acknowledged: nothing is promised.
        }
        finally
        {
            window.Release();
        }
    }
}
