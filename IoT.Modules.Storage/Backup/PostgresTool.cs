using System.ComponentModel;
using System.Globalization;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.PrivatePostgres;
using Npgsql;

namespace IoT.Modules.Storage.Backup;

/// <summary>pg_dump and pg_restore on the database of a connection string. The password is in their environment, where nobody else can see it.</summary>
internal static class PostgresTool
{
    private const int LongestMessage = 2_000;

    public static async Task RunAsync(string program, StorageOptions options, string connectionString, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var target = new NpgsqlConnectionStringBuilder(connectionString);
        var command = Tool.Command(await FindAsync(program, options, cancellationToken), arguments.Append($"--dbname={target.Database ?? target.Username}"));
        command.Environment["PGHOST"] = target.Host;
        command.Environment["PGPORT"] = target.Port.ToString(CultureInfo.InvariantCulture);
        command.Environment["PGUSER"] = target.Username;
        if (target.Password is { } password)
            command.Environment["PGPASSWORD"] = password;
        if (target.Passfile is { } passfile)
            command.Environment["PGPASSFILE"] = passfile;
        command.Environment["PGAPPNAME"] = "iot-backup";
        command.Environment["PGSSLMODE"] = target.SslMode switch { SslMode.VerifyCA => "verify-ca", SslMode.VerifyFull => "verify-full", var mode => mode.ToString().ToLowerInvariant() };
        if (target.RootCertificate is { } root)
            command.Environment["PGSSLROOTCERT"] = root;
        if (target.SslCertificate is { } certificate)
            command.Environment["PGSSLCERT"] = certificate;
        if (target.SslKey is { } key)
            command.Environment["PGSSLKEY"] = key;
        try
        {
            var (exitCode, output) = await Tool.RunAsync(command, "", cancellationToken);
            if (exitCode != 0)
                throw new StartupException($"{program} failed (exit code {exitCode}): {(output.Length > LongestMessage ? output[..LongestMessage] + "…" : output)}");
        }
        catch (Win32Exception exception)
        {
            throw new StartupException($"{program} is missing. Install PostgreSQL's client programs (sudo apt-get install postgresql-client), of the server's version or newer, or name their folder in Storage__PostgresBinaries.", exception);
        }
    }

    /// <summary>Beside the server's programs when they are here, so that versions fit; otherwise from PATH.</summary>
    private static async Task<string> FindAsync(string program, StorageOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var binaries = await PostgresBinaries.FindAsync(options.PostgresBinaries, null, Environment.GetEnvironmentVariable("PATH"), "/usr/lib/postgresql", cancellationToken);
            var beside = Path.Combine(binaries.Folder, program);
            return File.Exists(beside) ? beside : program;
        }
        catch (StartupException)
        {
            return program;
        }
    }
}
