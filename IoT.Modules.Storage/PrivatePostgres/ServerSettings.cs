using System.Globalization;

namespace IoT.Modules.Storage.PrivatePostgres;

/// <summary>
/// The server's settings. What must hold (where it listens) is on the command line, above all else. The rest is in <c>iot.conf</c>,
/// above postgresql.conf as initdb made it and below <c>ALTER SYSTEM</c>, with which an operator may tune it.
/// </summary>
internal static class ServerSettings
{
    public const string File = """
        # Written by the host at each start. To change a setting for good, use ALTER SYSTEM and restart the host.
        include 'cluster/postgresql.conf'

        timezone = 'UTC'
        log_timezone = 'UTC'

        # A box with little memory that it shares with the host.
        max_connections = 100
        shared_buffers = '256MB'
        max_wal_size = '2GB'
        wal_compression = on
        jit = off

        # One file a weekday, overwritten a week later.
        logging_collector = on
        log_destination = 'stderr'
        log_directory = '../log'
        log_filename = 'postgres-%a.log'
        log_rotation_age = '1d'
        log_rotation_size = 0
        log_truncate_on_rotation = on
        log_checkpoints = off
        log_line_prefix = '%m [%p] %q%u@%d '

        """;

    public static IEnumerable<string> Arguments(ServerCommand command, ClusterLayout layout, string sockets, int port) =>
    [
        "-D", command.Seen(layout.Cluster),
        "-c", $"config_file={command.Seen(layout.Settings)}",
        "-c", string.Create(CultureInfo.InvariantCulture, $"port={port}"),
        "-c", "listen_addresses=127.0.0.1",
        // The value is a list; quoted, a comma or a space in the path is part of it.
        "-c", $"unix_socket_directories=\"{sockets.Replace("\"", "\"\"", StringComparison.Ordinal)}\"",
    ];
}
