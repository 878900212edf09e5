namespace IoT.Modules.Storage.Contracts;

/// <summary>
/// The host can't start, or can't go on, for a reason that its operator can mend. The host shows <see cref="Exception.Message"/>,
/// without a stack trace, and exits with 1.
/// </summary>
/// <param name="message">What is wrong, where, and what to do about it.</param>
/// <param name="inner">What it came from, for the log; null when the message says all.</param>
public sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
