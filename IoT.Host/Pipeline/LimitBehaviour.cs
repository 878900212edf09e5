using System.Threading.RateLimiting;
using IoT.Modules.Gateway;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>A concurrency limiter for each gate, with a bounded queue, first come first served.</summary>
internal sealed class RequestGates(GatewayOptions gateway, StorageOptions storage) : IDisposable
{
    private readonly ConcurrencyLimiter _ingest = Create(gateway.MaxConcurrentRequests, gateway.MaxConcurrentRequests * 4);
    private readonly ConcurrencyLimiter _query = Create(storage.MaxConcurrentQueries, storage.MaxConcurrentQueries * 64);

    public ConcurrencyLimiter this[RequestGate gate] => gate switch
    {
        RequestGate.Ingest => _ingest,
        RequestGate.Query => _query,
        _ => throw new ArgumentOutOfRangeException(nameof(gate), gate, null),
    };

    public void Dispose()
    {
        _ingest.Dispose();
        _query.Dispose();
    }

    private static ConcurrencyLimiter Create(int width, int queue) =>
        new(new() { PermitLimit = width, QueueLimit = queue, QueueProcessingOrder = QueueProcessingOrder.OldestFirst });
}

/// <summary>Lets only so many requests of a gate run at once; over the gate's queue, they fail as busy.</summary>
internal sealed class LimitBehaviour<TRequest, TResponse>(RequestGates gates) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : ILimited
    where TResponse : IFailable<TResponse>
{
    public async Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        using var lease = await gates[TRequest.Gate].AcquireAsync(1, cancellationToken);
        return lease.IsAcquired
            ? await next()
            : TResponse.Fail(new Failure(FailureKind.Busy, "Too many requests at once; try again in a moment."));
    }
}
