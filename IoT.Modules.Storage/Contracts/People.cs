using MediatR;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A person who may sign in.</summary>
/// <param name="Role">One of <see cref="Roles"/>' admin, operator, viewer.</param>
public sealed record Person(string Name, string Role, DateTime CreatedAt);

/// <summary>Checks a name and password; fails as <see cref="FailureKind.Forbidden"/> without saying which of them was wrong.</summary>
public sealed record VerifyPassword(string Name, string Password) : IRequest<Outcome<Person>>, ILimited
{
    public static RequestGate Gate => RequestGate.Query;
}

/// <summary>Everyone who may sign in, by name.</summary>
public sealed record ListPeople : IRequest<Outcome<Page<Person>>>;

/// <summary>Lets a person sign in; fails as conflict when the name is taken.</summary>
public sealed record AddPerson(string? Name, string? Password, string? Role) : IRequest<Outcome<Person>>, IValidated
{
    public IEnumerable<FieldError> Validate()
    {
        if (Name is null || !DeviceId.IsValid(Name))
            yield return new("name", DeviceId.Rule);
        if (Password is not { Length: >= 8 and <= 256 })
            yield return new("password", "8 to 256 characters");
        if (Role is null || !Roles.IsPersonRole(Role))
            yield return new("role", "admin, operator or viewer");
    }
}

/// <summary>Takes a person out; fails as conflict for the last admin.</summary>
public sealed record RemovePerson(string Name) : IRequest<Outcome<Done>>;

/// <summary>An API key without the key.</summary>
public sealed record ApiKey(string Name, string Role, DateTime CreatedAt);

/// <summary>An API key with the key, shown this once.</summary>
public sealed record ApiKeyWithSecret(string Name, string Role, DateTime CreatedAt, string Key);

/// <summary>The keys made over the API, by name.</summary>
public sealed record ListApiKeys : IRequest<Outcome<Page<ApiKey>>>;

/// <summary>Makes a key; fails as conflict when the name is taken.</summary>
public sealed record AddApiKey(string? Name, string? Role) : IRequest<Outcome<ApiKeyWithSecret>>, IValidated
{
    public IEnumerable<FieldError> Validate()
    {
        if (Name is null || !DeviceId.IsValid(Name) || Name == ApiKeyDirectory.AdminName)
            yield return new("name", $"{DeviceId.Rule}, and not {ApiKeyDirectory.AdminName}");
        if (Role is null || !Roles.IsPersonRole(Role))
            yield return new("role", "admin, operator or viewer");
    }
}

/// <summary>Ends a key.</summary>
public sealed record RemoveApiKey(string Name) : IRequest<Outcome<Done>>;

/// <summary>News: a key has ended; connections made with it must end.</summary>
public sealed record ApiKeyRemoved(string Name) : INotification;

/// <summary>The first admin, as made by this start of the host; for the start-up message.</summary>
public sealed class FirstAdminLogin
{
    public const string Name = "admin";

    /// <summary>Set when this start made the admin and generated the password; it is not kept anywhere else.</summary>
    public string? GeneratedPassword { get; internal set; }
}
