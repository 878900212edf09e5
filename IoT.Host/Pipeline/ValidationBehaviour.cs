using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>A request that says what is wrong with it goes no further.</summary>
internal sealed class ValidationBehaviour<TRequest, TResponse> : IPipelineBehavior<TRequest, TResponse>
    where TRequest : IValidated
    where TResponse : IFailable<TResponse>
{
    public Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        var errors = request.Validate().ToList();
        if (errors.Count == 0)
            return next();
        return Task.FromResult(TResponse.Fail(new Failure(
            FailureKind.Invalid,
            string.Join("; ", errors.Select(e => $"{e.Field}: {e.Error}")),
            errors.GroupBy(e => e.Field).ToDictionary(g => g.Key, g => g.Select(e => e.Error).ToArray()))));
    }
}
