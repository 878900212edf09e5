using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.People;

internal sealed class ListApiKeysHandler(PostgresPools database) : IRequestHandler<ListApiKeys, Outcome<Page<ApiKey>>>
{
    public async Task<Outcome<Page<ApiKey>>> Handle(ListApiKeys request, CancellationToken cancellationToken)
    {
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var keys = await connection.QueryAsync<ApiKey>(new CommandDefinition(
            "select name, role, created_at from api_keys order by name", cancellationToken: cancellationToken));
        return new Page<ApiKey>(keys.AsList(), null);
    }
}

internal sealed class AddApiKeyHandler(
    PostgresPools database, ApiKeyDirectory directory, CredentialChanges changes, CredentialMirror mirror) : IRequestHandler<AddApiKey, Outcome<ApiKeyWithSecret>>
{
    public async Task<Outcome<ApiKeyWithSecret>> Handle(AddApiKey request, CancellationToken cancellationToken)
    {
        var key = Secrets.NewToken();
        var keyHash = ApiKeyDirectory.HashOf(key);
        using var turn = await changes.EnterAsync(CredentialKind.ApiKey, request.Name!, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var made = await connection.QuerySingleOrDefaultAsync<ApiKey>(new CommandDefinition(
            "insert into api_keys (name, role, key_hash) values (@Name, @Role, @keyHash) on conflict do nothing returning name, role, created_at",
            new { request.Name, request.Role, keyHash },
            cancellationToken: cancellationToken));
        if (made is null)
            return new Failure(FailureKind.Conflict, $"{request.Name} exists already.");
        directory.Add(new ApiKeyEntry(made.Name, made.Role, keyHash));
        await mirror.WriteThroughAsync(CredentialKind.ApiKey, made.Name);
        return new ApiKeyWithSecret(made.Name, made.Role, made.CreatedAt, key);
    }
}

internal sealed class RemoveApiKeyHandler(
    PostgresPools database, ApiKeyDirectory directory, CredentialChanges changes, CredentialMirror mirror, IMediator mediator) : IRequestHandler<RemoveApiKey, Outcome<Done>>
{
    public async Task<Outcome<Done>> Handle(RemoveApiKey request, CancellationToken cancellationToken)
    {
        using var turn = await changes.EnterAsync(CredentialKind.ApiKey, request.Name, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var removed = DeviceId.IsValid(request.Name)
            ? await connection.ExecuteAsync(new CommandDefinition("delete from api_keys where name = @Name", request, cancellationToken: cancellationToken))
            : 0;
        if (removed == 0)
            return Failure.NotFound($"API key {request.Name}");
        directory.Remove(request.Name);
        await mediator.Publish(new ApiKeyRemoved(request.Name), cancellationToken);
        await mirror.WriteThroughAsync(CredentialKind.ApiKey, request.Name);
        return default(Done);
    }
}
