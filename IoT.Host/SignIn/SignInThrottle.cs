using System.Net;
using System.Threading.RateLimiting;

namespace IoT.Host.SignIn;

/// <summary>Slows password guessing: failed sign-ins of one address, 10 at once and one more every six seconds.</summary>
internal sealed class SignInThrottle : IDisposable
{
    /// <summary>After so long, an address that may not try may try once more.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(6);

    private readonly PartitionedRateLimiter<IPAddress> _failures = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address =>
        RateLimitPartition.GetTokenBucketLimiter(address, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = 10,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = Period,
            AutoReplenishment = true,
        }));

    public bool IsOpen(IPAddress address) => _failures.GetStatistics(address)?.CurrentAvailablePermits is null or > 0;

    public void Failed(IPAddress address) => _failures.AttemptAcquire(address).Dispose();

    public void Dispose() => _failures.Dispose();
}
