namespace IoT.Modules.Storage.Contracts;

/// <summary>The closed set of expected failures of a request; each maps to one HTTP status in <see cref="Problems"/>.</summary>
public enum FailureKind
{
    /// <summary>The request itself is wrong; <see cref="Failure.Errors"/> says where. 400.</summary>
    Invalid,

    /// <summary>The caller is known and may not do this. 403.</summary>
    Forbidden,

    /// <summary>The thing asked for does not exist. 404.</summary>
    NotFound,

    /// <summary>The thing exists already, or has changed meanwhile. 409.</summary>
    Conflict,

    /// <summary>More than a stated limit. 413.</summary>
    TooLarge,

    /// <summary>The caller sends more than its share; try again when <see cref="Failure.RetryAfter"/> has passed. 429 with <c>Retry-After</c>.</summary>
    RateLimited,

    /// <summary>Over a limit of concurrency; try again. 503 with <c>Retry-After</c>.</summary>
    Busy,

    /// <summary>Something this needs (PostgreSQL) is away; try again. 503 with <c>Retry-After</c>.</summary>
    Unavailable,
}

/// <summary>An expected failure.</summary>
/// <param name="Kind">Which one.</param>
/// <param name="Detail">One sentence for the caller: what is wrong and what is allowed.</param>
/// <param name="Errors">By field, for <see cref="FailureKind.Invalid"/>; otherwise null.</param>
public sealed record Failure(FailureKind Kind, string Detail, IReadOnlyDictionary<string, string[]>? Errors = null)
{
    /// <summary>When to try again; null: <see cref="Problems.RetryAfterSeconds"/> where trying again helps at all.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Further members of the problem object, such as the line and column of a syntax error; null: none.</summary>
    public IReadOnlyDictionary<string, object?>? Extensions { get; init; }

    public static Failure Invalid(string field, string error) =>
        new(FailureKind.Invalid, $"{field}: {error}", new Dictionary<string, string[]> { [field] = [error] });

    public static Failure NotFound(string what) => new(FailureKind.NotFound, $"{what} does not exist.");
}

/// <summary>A response that a pipeline behaviour can make out of a failure, without knowing its type.</summary>
public interface IFailable<out TSelf>
{
    static abstract TSelf Fail(Failure failure);
}

/// <summary>What a response looks like to those who don't know its type.</summary>
public interface IHasFailure
{
    /// <summary>Null when all went well.</summary>
    Failure? Failure { get; }
}

/// <summary>What a request came to: a value or an expected failure. Exceptions are for bugs and broken infrastructure.</summary>
public sealed class Outcome<T> : IFailable<Outcome<T>>, IHasFailure
{
    private readonly T? _value;

    private Outcome(T? value, Failure? failure) => (_value, Failure) = (value, failure);

    /// <summary>Null when there is a value.</summary>
    public Failure? Failure { get; }

    /// <summary>The value.</summary>
    /// <exception cref="InvalidOperationException">There is none: look at <see cref="Failure"/> first.</exception>
    public T Value => Failure is null ? _value! : throw new InvalidOperationException($"No value: {Failure.Detail}");

    static Outcome<T> IFailable<Outcome<T>>.Fail(Failure failure) => new(default, failure);

    public static implicit operator Outcome<T>(T value) => new(value, null);

    public static implicit operator Outcome<T>(Failure failure) => new(default, failure);
}

/// <summary>The value of a request that answers with nothing but success.</summary>
public readonly record struct Done;
