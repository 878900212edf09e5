namespace IoT.Modules.Storage.PrivatePostgres;

internal enum PrivateServerState
{
    /// <summary>Not started, stopped, or given up.</summary>
    Stopped,

    /// <summary>On its way up for the first time.</summary>
    Starting,

    /// <summary>Takes connections.</summary>
    Running,

    /// <summary>Has died and is on its way up again.</summary>
    Restarting,
}

/// <summary>For the status page.</summary>
/// <param name="State">What it does.</param>
/// <param name="ServerVersion">Like <c>15.18</c>; null before the first start.</param>
/// <param name="Pid">Of the postmaster; null when none runs.</param>
/// <param name="Port">TCP port on 127.0.0.1; null when none runs.</param>
/// <param name="Restarts">How often it was started again since the host began.</param>
internal sealed record PrivateServerStatus(PrivateServerState State, string? ServerVersion, int? Pid, int? Port, int Restarts);
