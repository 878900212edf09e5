namespace IoT.Modules.Storage.Contracts;

/// <summary>A request that checks its own values before its handler runs; the validation behaviour calls it.</summary>
public interface IValidated
{
    /// <summary>What is wrong, by field in snake_case; nothing when all is well.</summary>
    IEnumerable<FieldError> Validate();
}

/// <summary>One wrong value: the field's name as the caller wrote it, and what is wrong with it.</summary>
public readonly record struct FieldError(string Field, string Error);

/// <summary>The gates that requests pass; each has a width and a queue in the settings.</summary>
public enum RequestGate
{
    /// <summary>Requests that bring readings in: <c>Gateway__MaxConcurrentRequests</c>.</summary>
    Ingest,

    /// <summary>Requests that read from the database: <c>Storage__MaxConcurrentQueries</c>.</summary>
    Query,
}

/// <summary>Who goes first when requests wait at a gate.</summary>
public enum RequestPriority
{
    /// <summary>First come, first served.</summary>
    Normal,

    /// <summary>Before those of normal priority that wait, and in order among themselves.</summary>
    High,
}

/// <summary>A request of which only so many run at once; over the gate's queue it fails as <see cref="FailureKind.Busy"/>.</summary>
public interface ILimited
{
    static abstract RequestGate Gate { get; }

    RequestPriority Priority => RequestPriority.Normal;
}

/// <summary>A request that is to see every reading that was acknowledged before it, and the devices that they registered.</summary>
public interface ISeesAcknowledged;
