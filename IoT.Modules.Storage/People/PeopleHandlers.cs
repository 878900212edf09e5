using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Credentials;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.People;

internal sealed class VerifyPasswordHandler(PostgresPools database) : IRequestHandler<VerifyPassword, Outcome<Person>>
{
    private sealed record Row(string Name, string Role, DateTime CreatedAt, string PasswordHash);

    public async Task<Outcome<Person>> Handle(VerifyPassword request, CancellationToken cancellationToken)
    {
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var row = DeviceId.IsValid(request.Name)
            ? await connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition(
                "select name, role, created_at, password_hash from people where name = @Name", request, cancellationToken: cancellationToken))
            : null;
        return Passwords.Verify(row?.PasswordHash, request.Password)
            ? new Person(row!.Name, row.Role, row.CreatedAt)
            : new Failure(FailureKind.Forbidden, "Name or password is wrong.");
    }
}

internal sealed class ListPeopleHandler(PostgresPools database) : IRequestHandler<ListPeople, Outcome<Page<Person>>>
{
    public async Task<Outcome<Page<Person>>> Handle(ListPeople request, CancellationToken cancellationToken)
    {
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var people = await connection.QueryAsync<Person>(new CommandDefinition(
            "select name, role, created_at from people order by name", cancellationToken: cancellationToken));
        return new Page<Person>(people.AsList(), null);
    }
}

internal sealed class AddPersonHandler(
    PostgresPools database, PeopleDirectory people, CredentialChanges changes, CredentialMirror mirror) : IRequestHandler<AddPerson, Outcome<Person>>
{
    public async Task<Outcome<Person>> Handle(AddPerson request, CancellationToken cancellationToken)
    {
        using var turn = await changes.EnterAsync(CredentialKind.Person, request.Name!, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var person = await connection.QuerySingleOrDefaultAsync<Person>(new CommandDefinition(
            """
            insert into people (name, role, password_hash) values (@Name, @Role, @hash)
            on conflict do nothing returning name, role, created_at
            """,
            new { request.Name, request.Role, hash = Passwords.Hash(request.Password!) },
            cancellationToken: cancellationToken));
        if (person is null)
            return new Failure(FailureKind.Conflict, $"{request.Name} exists already.");
        people.Set(person.Name, person.Role);
        await mirror.WriteThroughAsync(CredentialKind.Person, person.Name);
        return person;
    }
}

internal sealed class RemovePersonHandler(
    PostgresPools database, PeopleDirectory people, CredentialChanges changes, CredentialMirror mirror) : IRequestHandler<RemovePerson, Outcome<Done>>
{
    public async Task<Outcome<Done>> Handle(RemovePerson request, CancellationToken cancellationToken)
    {
        if (!DeviceId.IsValid(request.Name))
            return Failure.NotFound($"Person {request.Name}");
        using var turn = await changes.EnterAsync(CredentialKind.Person, request.Name, cancellationToken);
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // The lock keeps two removals from each leaving the other's admin as the last.
        await connection.ExecuteAsync("lock table people in share row exclusive mode", transaction: transaction);
        var role = await connection.ExecuteScalarAsync<string?>("delete from people where name = @Name returning role", request, transaction);
        if (role is null)
            return Failure.NotFound($"Person {request.Name}");
        if (role == Roles.Admin && !await connection.ExecuteScalarAsync<bool>("select exists (select 1 from people where role = 'admin')", transaction: transaction))
            return new Failure(FailureKind.Conflict, $"{request.Name} is the last admin.");
        await transaction.CommitAsync(cancellationToken);
        people.Remove(request.Name);
        await mirror.WriteThroughAsync(CredentialKind.Person, request.Name);
        return default(Done);
    }
}
