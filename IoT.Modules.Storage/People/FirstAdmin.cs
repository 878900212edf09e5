using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;

namespace IoT.Modules.Storage.People;

/// <summary>Makes the first admin when there are no people yet.</summary>
internal sealed class FirstAdmin(PostgresPools database, SecurityOptions security, PeopleDirectory people, FirstAdminLogin login)
{
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        if (await connection.ExecuteScalarAsync<bool>("select exists (select 1 from people)"))
            return;
        var password = security.AdminPassword ?? Secrets.NewToken()[..20];
        var made = await connection.ExecuteAsync(
            "insert into people (name, role, password_hash) values (@Name, @Admin, @hash) on conflict do nothing",
            new { FirstAdminLogin.Name, Roles.Admin, hash = Passwords.Hash(password) });
        people.Set(FirstAdminLogin.Name, Roles.Admin);
        if (made == 1 && security.AdminPassword is null)
            login.GeneratedPassword = password;
    }
}
