using IoT.Modules.Caching.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>
/// Answers from the cache what may be. It stands behind validation and the wait for acknowledged readings, and before the gate: a hit
/// takes none of the database's places, and of many who ask for the same, one does.
/// </summary>
internal sealed class CacheBehaviour<TRequest, TResponse>(TieredCache cache, TimeProvider time) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : ICacheable<TResponse>
{
    public Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        if (request.CacheKey(time) is not { } key)
            return next();
        return cache.TryGet(TRequest.CacheKind, key, out var response)
            ? Task.FromResult(response)
            : cache.GetAsync(TRequest.CacheKind, key, request.CacheTags, next, static (next, _) => next(), cancellationToken).AsTask();
    }
}
