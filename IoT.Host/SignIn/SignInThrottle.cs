using System.Net;
using System.Threading.RateLimiting;

namespace IoT.Host.SignIn;

/// <summary>Slows password guessing: failed sign-ins of one address, 10 at once and one more every six seconds.</summary>
internal sealed class SignInThrottle : IDisposable
{
    private readonly PartitionedRateLimiter<IPAddress> _failures = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address =>
        RateLimitPartition.GetTokenBucketLimiter(address, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = 10,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromSeconds(6),
            AutoReplenishment = true,
        }));

    public bool IsOpen(IPAddress address) => _failures.GetStatistics(address)?.CurrentAvailablePermits is null or > 0;

    public void Failed(IPAddress address) => _failures.AttemptAcquire(address).Dispose();

    public void Dispose() => _failures.Dispose();
}
