namespace IoT.Modules.Storage.Contracts;

/// <summary>Roles of people and API keys, and the names of the authorization policies that ask for them.</summary>
public static class Roles
{
    public const string Admin = "admin";
    public const string Operator = "operator";
    public const string Viewer = "viewer";

    /// <summary>The role claim of a device that came with its token.</summary>
    public const string Device = "device";

    public static bool IsPersonRole(string role) => role is Admin or Operator or Viewer;
}

/// <summary>Authorization policies; the Host registers them, endpoints name them.</summary>
public static class Policies
{
    /// <summary>Admin, operator or viewer: reading.</summary>
    public const string View = "view";

    /// <summary>Admin or operator: changing devices, sending commands.</summary>
    public const string Operate = "operate";

    /// <summary>Admin only: people, keys.</summary>
    public const string Administer = "administer";

    /// <summary>Anyone who may bring readings in; the readings' devices are checked one by one.</summary>
    public const string Ingest = "ingest";
}
