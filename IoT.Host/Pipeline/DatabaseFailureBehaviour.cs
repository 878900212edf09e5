using System.Data.Common;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>PostgreSQL away or too slow is an expected failure of whatever needs it: unavailable, try again.</summary>
internal sealed class DatabaseFailureBehaviour<TRequest, TResponse> : IPipelineBehavior<TRequest, TResponse>
    where TRequest : notnull
    where TResponse : IFailable<TResponse>
{
    public async Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        try
        {
            return await next();
        }
        catch (DbException exception) when (DatabaseFault.Passes(exception))
        {
            return TResponse.Fail(new Failure(FailureKind.Unavailable, "The database does not answer; try again in a moment."));
        }
    }
}
