using System.Data.Common;
using System.Net.Sockets;

namespace IoT.Modules.Storage.Contracts;

/// <summary>Tells faults of the database that pass by themselves from those that last until somebody mends something.</summary>
public static class DatabaseFault
{
    // What Npgsql does not call transient and yet goes by: a statement, a lock or an idle transaction that took too long, or was
    // cancelled; a server that is shut down, or is a standby until it is promoted; a transaction that may be run again.
    private static readonly HashSet<string> Passing = new(StringComparer.Ordinal)
    {
        "57014", // query_canceled: statement_timeout too
        "57P01", "57P02", "57P03", "57P05", // shut down, crashed, starting up, idle_session_timeout
        "25006", // read_only_sql_transaction
        "25P03", "25P04", // idle_in_transaction_session_timeout, transaction_timeout
        "55P03", "55006", // lock_not_available, object_in_use
        "40001", "40P01", "40003", // serialization_failure, deadlock_detected, statement_completion_unknown
        "53000", "53100", "53200", "53300", "53400", // resources: disk, memory, connections
    };

    /// <summary>Whether the same may work a moment later although nobody has mended anything: Npgsql's classification, and a little more.</summary>
    public static bool Passes(Exception exception) => exception switch
    {
        DbException { IsTransient: true } => true,
        DbException { SqlState: { } state } => Passing.Contains(state) || state.StartsWith("08", StringComparison.Ordinal),
        DbException => exception.InnerException is TimeoutException or IOException or SocketException,
        TimeoutException or IOException or SocketException or OperationCanceledException => true,
        _ => false,
    };
}
