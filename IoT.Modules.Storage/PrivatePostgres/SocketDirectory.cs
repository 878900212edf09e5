using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>
/// Where the Unix socket is. PostgreSQL gives TCP port and socket the same number, and a restart may have to change the port because
/// another program took it meanwhile; so the host connects to a number that stays, a link to the socket of the day.
/// </summary>
internal sealed class SocketDirectory
{
    /// <summary>The number the host connects to.</summary>
    public const int Number = 5432;

    private const int LongestSocketPath = 107;
    private const string Prefix = ".s.PGSQL.";

    private SocketDirectory(string path, string seen) => (Path, SeenByServer) = (path, seen);

    public string Path { get; }

    public string SeenByServer { get; }

    /// <exception cref="StartupException">The one under /tmp belongs to somebody else.</exception>
    public static SocketDirectory Prepare(ClusterLayout layout, ServerUser user, ServerCommand command)
    {
        var own = layout.Run;
        // Npgsql reads a comma in Host as a list and a colon as a port.
        if (Encoding.UTF8.GetByteCount($"{own}/{Prefix}65535") <= LongestSocketPath && own.AsSpan().IndexOfAny(",:;'\"") < 0)
        {
            user.OwnDirectory(own);
            return new SocketDirectory(own, command.Seen(own));
        }

        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(own)).AsSpan(0, 8));
        var path = $"/tmp/iot-postgres-{name}";
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // /tmp is everybody's: somebody may have put it there before us.
        if (Posix.OwnerOf(path) is not { IsDirectory: true } owner || (owner.User != user.User && owner.User != Posix.EffectiveUser))
            throw new StartupException($"{path} belongs to another user, and PostgreSQL needs it for its socket because the path of {own} is too long. Remove it, or set Data__Directory to a shorter path.");
        user.OwnDirectory(path);
        return new SocketDirectory(path, path);
    }

    /// <summary>Removes what earlier servers left; none runs.</summary>
    public void Clear()
    {
        foreach (var file in Directory.EnumerateFiles(Path, Prefix + "*"))
            File.Delete(file);
    }

    /// <summary>Points <see cref="Number"/> to the server's port.</summary>
    public void PointTo(int port)
    {
        var link = System.IO.Path.Combine(Path, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Number}"));
        var temporary = System.IO.Path.Combine(Path, System.IO.Path.GetRandomFileName());
        File.CreateSymbolicLink(temporary, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{port}"));
        File.Move(temporary, link, overwrite: true);
    }
}
