using IoT.Modules.Caching.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>
/// Answers from the cache what may be. It stands behind validation and the wait for acknowledged readings, and before the gate: a hit
/// takes none of the database's places, and of many who ask for the same, one does.
/// </summary>
internal sealed class CacheBehaviour<TRequest, TResponse>(TieredCache cache, Prefetcher prefetcher, RequestClient client, IMediator mediator, TimeProvider time) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : ICacheable<TResponse>, IRequest<TResponse>
{
    public Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        if (request.CacheKey(time) is not { } key)
            return next();
        var isThere = cache.TryGet(TRequest.CacheKind, key, out var response);
        var answer = isThere
            ? Task.FromResult(response)
            : cache.GetAsync(TRequest.CacheKind, key, request.CacheTags, next, static (next, _) => next(), cancellationToken).AsTask();
        if (prefetcher.IsOn)
            Tell(request, key, isThere);
        return answer;
    }

    // By itself, so that a hit without prefetching allocates no closure.
    private void Tell(TRequest request, string key, bool isThere) =>
        prefetcher.Asked(client.Hash, TRequest.CacheKind, key, isThere, stop => mediator.Send(request, stop));
}

/// <summary>Who asks, as far as telling one client's questions from another's takes.</summary>
internal sealed class RequestClient(IHttpContextAccessor? http)
{
    public int Hash => http?.HttpContext is { } context ? HashCode.Combine(context.User.Identity?.Name, context.Connection.RemoteIpAddress) : 0;
}
