using IoT.Modules.Gateway.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>
/// A query of readings sees what was acknowledged before it was asked: it waits, up to <c>Gateway__QueryPatienceMs</c>, until that has come from the ingest
/// log into PostgreSQL. While PostgreSQL is catching up it does not wait.
/// </summary>
internal sealed class FreshnessBehaviour<TRequest, TResponse>(IngestProgress progress) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : ISeesAcknowledged
{
    public Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        var caughtUp = progress.CaughtUpAsync(cancellationToken);
        return caughtUp.IsCompletedSuccessfully ? next() : AwaitAsync(caughtUp, next);
    }

    private static async Task<TResponse> AwaitAsync(ValueTask caughtUp, RequestHandlerDelegate<TResponse> next)
    {
        await caughtUp;
        return await next();
    }
}
