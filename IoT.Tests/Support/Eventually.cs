using Xunit;

namespace IoT.Tests.Support;

/// <summary>Awaits a condition, and says what it waited for when it never comes.</summary>
internal static class Eventually
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(25);

    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? timeout = null)
    {
        await SomethingAsync(async () => await condition() ? new object() : null, what, timeout);
    }

    /// <summary>The first value that is not null.</summary>
    public static async Task<T> SomethingAsync<T>(Func<Task<T?>> look, string what, TimeSpan? timeout = null)
        where T : class
    {
        var clock = TimeProvider.System;
        var start = clock.GetTimestamp();
        var limit = timeout ?? DefaultTimeout;
        Exception? last = null;
        while (true)
        {
            try
            {
                if (await look() is { } value)
                    return value;
                last = null;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                last = e; // What is awaited may well be unreachable until then.
            }

            if (clock.GetElapsedTime(start) > limit)
                throw new TimeoutException($"Not within {limit.TotalSeconds} s: {what}", last);
            await Task.Delay(PollInterval, clock, TestContext.Current.CancellationToken);
        }
    }
}
