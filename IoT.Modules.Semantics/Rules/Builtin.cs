using System.Text.RegularExpressions;

namespace IoT.Modules.Semantics.Rules;

internal enum BuiltinShape
{
    /// <summary>Both sides must be bound; holds or not.</summary>
    Test,

    /// <summary>The subject must be bound; gives the object.</summary>
    Function,

    /// <summary>One side must be bound, and gives the other.</summary>
    Equality,

    /// <summary>The list must be bound; gives its members, one after the other.</summary>
    Members,
}

/// <summary>A predicate that is computed.</summary>
/// <param name="Arguments">Of a function: 1 is a term that is no list, more are a list of so many.</param>
internal sealed record Builtin(string Iri, BuiltinCode Code, BuiltinShape Shape, bool ListIsSubject = false, int Arguments = 1)
{
    /// <summary>A list of any length.</summary>
    public const int Several = 0;

    private const string Swap = "http://www.w3.org/2000/10/swap/";
    public const string Math = Swap + "math#";
    public const string String = Swap + "string#";
    public const string Log = Swap + "log#";
    public const string List = Swap + "list#";
    public const string Time = Swap + "time#";

    public static IReadOnlyList<string> Namespaces { get; } =
    [
        Math, String, Log, List, Time, Swap + "crypto#", Swap + "graph#", Swap + "os#", Swap + "file#",
        "http://eulersharp.sourceforge.net/2003/03swap/", "http://www.w3.org/2007/rif-builtin-function#", "http://www.w3.org/2007/rif-builtin-predicate#",
    ];

    public static IReadOnlyDictionary<string, Builtin> All { get; } = Make().ToDictionary(builtin => builtin.Iri, StringComparer.Ordinal);

    public static bool IsReserved(string iri) => Namespaces.Any(name => iri.StartsWith(name, StringComparison.Ordinal));

    /// <summary>Patterns as they are matched: never by backtracking, so that none takes longer than its text is long.</summary>
    /// <exception cref="ArgumentException">It is no pattern.</exception>
    /// <exception cref="NotSupportedException">It looks back or ahead.</exception>
    public static Regex Pattern(string text) => new(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    /// <summary>What is wrong with a pattern; null when nothing is.</summary>
    public static string? PatternError(string text)
    {
        try
        {
            _ = Pattern(text);
            return null;
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            return exception.Message;
        }
    }

    private static IEnumerable<Builtin> Make()
    {
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("greaterThan", BuiltinCode.Greater), ("lessThan", BuiltinCode.Less), ("notGreaterThan", BuiltinCode.NotGreater),
            ("notLessThan", BuiltinCode.NotLess), ("equalTo", BuiltinCode.NumberEqual), ("notEqualTo", BuiltinCode.NumberNotEqual),
        })
            yield return new(Math + name, code, BuiltinShape.Test);
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("sum", BuiltinCode.Sum), ("product", BuiltinCode.Product), ("max", BuiltinCode.Max), ("min", BuiltinCode.Min), ("memberCount", BuiltinCode.Length),
        })
            yield return new(Math + name, code, BuiltinShape.Function, Arguments: Several);
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("difference", BuiltinCode.Difference), ("quotient", BuiltinCode.Quotient), ("integerQuotient", BuiltinCode.IntegerQuotient),
            ("remainder", BuiltinCode.Remainder), ("exponentiation", BuiltinCode.Power),
        })
            yield return new(Math + name, code, BuiltinShape.Function, Arguments: 2);
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("negation", BuiltinCode.Negation), ("absoluteValue", BuiltinCode.Absolute), ("rounded", BuiltinCode.Rounded),
            ("floor", BuiltinCode.Floor), ("ceiling", BuiltinCode.Ceiling),
        })
            yield return new(Math + name, code, BuiltinShape.Function);
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("contains", BuiltinCode.Contains), ("containsIgnoringCase", BuiltinCode.ContainsIgnoringCase), ("startsWith", BuiltinCode.StartsWith),
            ("endsWith", BuiltinCode.EndsWith), ("matches", BuiltinCode.Matches), ("notMatches", BuiltinCode.NotMatches),
            ("equalIgnoringCase", BuiltinCode.EqualIgnoringCase), ("notEqualIgnoringCase", BuiltinCode.NotEqualIgnoringCase),
            ("greaterThan", BuiltinCode.TextGreater), ("lessThan", BuiltinCode.TextLess),
            ("notGreaterThan", BuiltinCode.TextNotGreater), ("notLessThan", BuiltinCode.TextNotLess),
        })
            yield return new(String + name, code, BuiltinShape.Test);
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("length", BuiltinCode.TextLength), ("lowerCase", BuiltinCode.LowerCase), ("upperCase", BuiltinCode.UpperCase),
        })
            yield return new(String + name, code, BuiltinShape.Function);
        yield return new(String + "concatenation", BuiltinCode.Concatenation, BuiltinShape.Function, Arguments: Several);
        yield return new(String + "replace", BuiltinCode.Replace, BuiltinShape.Function, Arguments: 3);
        yield return new(Log + "equalTo", BuiltinCode.Same, BuiltinShape.Equality);
        yield return new(Log + "notEqualTo", BuiltinCode.NotSame, BuiltinShape.Test);
        yield return new(Log + "uri", BuiltinCode.Uri, BuiltinShape.Function);
        yield return new(List + "in", BuiltinCode.In, BuiltinShape.Members);
        yield return new(List + "member", BuiltinCode.In, BuiltinShape.Members, ListIsSubject: true);
        yield return new(List + "length", BuiltinCode.Length, BuiltinShape.Function, Arguments: Several);
        yield return new(List + "first", BuiltinCode.First, BuiltinShape.Function, Arguments: Several);
        yield return new(List + "last", BuiltinCode.Last, BuiltinShape.Function, Arguments: Several);
        foreach (var (name, code) in new (string, BuiltinCode)[]
        {
            ("inSeconds", BuiltinCode.InSeconds), ("year", BuiltinCode.Year), ("month", BuiltinCode.Month), ("day", BuiltinCode.Day),
            ("hour", BuiltinCode.Hour), ("minute", BuiltinCode.Minute), ("second", BuiltinCode.Second), ("dayOfWeek", BuiltinCode.DayOfWeek),
        })
            yield return new(Time + name, code, BuiltinShape.Function);
    }
}

internal enum BuiltinCode
{
    Greater, Less, NotGreater, NotLess, NumberEqual, NumberNotEqual,
    Sum, Difference, Product, Quotient, IntegerQuotient, Remainder, Power, Negation, Absolute, Rounded, Floor, Ceiling, Max, Min,
    Contains, ContainsIgnoringCase, StartsWith, EndsWith, Matches, NotMatches, EqualIgnoringCase, NotEqualIgnoringCase,
    TextGreater, TextLess, TextNotGreater, TextNotLess, Concatenation, TextLength, LowerCase, UpperCase, Replace,
    Same, NotSame, Uri,
    In, Length, First, Last,
    InSeconds, Year, Month, Day, Hour, Minute, Second, DayOfWeek,
}
