using System.ComponentModel;
using System.Globalization;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>Who the server runs as: the host's own user, or an unprivileged one when that is root.</summary>
internal sealed record ServerUser(string Name, uint User, uint Group, bool IsOther)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Put before a command to run it as this user, without root's groups and capabilities.</summary>
    public IEnumerable<string> Prefix => IsOther
        ? ["setpriv", string.Create(CultureInfo.InvariantCulture, $"--reuid={User}"), string.Create(CultureInfo.InvariantCulture, $"--regid={Group}"), "--clear-groups", "--inh-caps=-all", "--"]
        : [];

    /// <summary>An existing cluster decides: its files belong to whom it was made for.</summary>
    /// <exception cref="StartupException">It was made for a user that we are not and can't become, or there is no user to become.</exception>
    public static ServerUser For(ClusterLayout layout)
    {
        var self = Posix.EffectiveUser;
        var cluster = Posix.OwnerOf(layout.Cluster);
        if (self != 0)
        {
            return cluster is null || cluster.Value.User == self
                ? new ServerUser(Environment.UserName, self, 0, IsOther: false)
                : throw new StartupException($"The database in {layout.Cluster} belongs to user {NameOf(cluster.Value.User)}, and the host runs as {Environment.UserName}. Run it as {NameOf(cluster.Value.User)} or as root, or set Data__Directory to another directory.");
        }

        if (cluster is { User: not 0 } owner)
            return new ServerUser(NameOf(owner.User), owner.User, owner.Group, IsOther: true);
        return Named("postgres") ?? Named("nobody")
            ?? throw new StartupException("PostgreSQL does not run as root, and this system has neither a user postgres nor nobody. Run the host as an ordinary user.");
    }

    /// <summary>Makes a directory for this user alone, or gives it to this user.</summary>
    public void OwnDirectory(string path)
    {
        Directory.CreateDirectory(path, OwnerOnly);
        TakeOver(path);
        File.SetUnixFileMode(path, OwnerOnly);
    }

    public void TakeOver(string path)
    {
        if (!IsOther || Posix.OwnerOf(path)?.User == User)
            return;
        try
        {
            Posix.ChangeOwner(path, User, Group);
        }
        catch (Win32Exception e)
        {
            throw new StartupException($"{path} can't be given to user {Name}, who runs PostgreSQL: {e.Message}. Run the host as an ordinary user, or with the capability CAP_CHOWN.", e);
        }
    }

    private static string NameOf(uint user) =>
        Users().FirstOrDefault(u => u.User == user).Name ?? user.ToString(CultureInfo.InvariantCulture);

    private static ServerUser? Named(string name) =>
        Users().Where(u => u.Name == name && u.User != 0).Select(u => new ServerUser(name, u.User, u.Group, IsOther: true)).FirstOrDefault();

    private static IEnumerable<(string Name, uint User, uint Group)> Users()
    {
        if (!File.Exists("/etc/passwd"))
            yield break;
        foreach (var line in File.ReadLines("/etc/passwd"))
        {
            var fields = line.Split(':');
            if (fields.Length > 3 && uint.TryParse(fields[2], CultureInfo.InvariantCulture, out var user) && uint.TryParse(fields[3], CultureInfo.InvariantCulture, out var group))
                yield return (fields[0], user, group);
        }
    }
}
