namespace IoT.Modules.Storage.Contracts;

/// <summary>The host can't start, for a reason an operator can act on. The message is one clear line; the host prints it and exits 1.</summary>
public sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
