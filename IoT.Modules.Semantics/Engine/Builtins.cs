using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using IoT.Modules.Semantics.Rules;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Engine;

/// <summary>Predicates that are computed. What makes no sense, such as the sum of a text, does not hold.</summary>
internal sealed class Builtins(TermDictionary terms)
{
    private const long MostBits = 100_000;
    private const long LongestText = 1_000_000;

    private static readonly TimeSpan LongestMatch = TimeSpan.FromMilliseconds(250);
    private static readonly DateTimeStyles AsUtc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;

    private readonly Dictionary<int, Regex?> _patterns = [];

    public void Forget() => _patterns.Clear();

    public bool Test(BuiltinCode code, int left, int right)
    {
        switch (code)
        {
            case <= BuiltinCode.NumberNotEqual:
                return Compare(left, right) is { } order && Holds(code, order);
            case BuiltinCode.NotSame:
                return left != right;
            case BuiltinCode.Matches or BuiltinCode.NotMatches:
                return Text(left) is { } subject && PatternOf(right) is { } pattern && IsMatch(pattern, subject) is { } matches && matches == (code == BuiltinCode.Matches);
            default:
                return Text(left) is { } a && Text(right) is { } b && Test(code, a, b);
        }
    }

    /// <summary>The result of a function; 0: none.</summary>
    /// <param name="isList">The arguments are the items of a list; otherwise there is one, which may be a list itself.</param>
    public int Compute(BuiltinCode code, ReadOnlySpan<int> arguments, bool isList)
    {
        if (code == BuiltinCode.Same)
            return arguments[0];
        if (!isList && terms.Kind(arguments[0]) == TermKind.List)
        {
            arguments = terms.Items(arguments[0]);
            isList = true;
        }
        switch (code)
        {
            case BuiltinCode.Length:
                return isList ? terms.Intern(Number.Of(arguments.Length)) : arguments[0] == Known.Nil ? terms.Intern(Number.Of(0)) : 0;
            case BuiltinCode.First:
                return isList && arguments.Length > 0 ? arguments[0] : 0;
            case BuiltinCode.Last:
                return isList && arguments.Length > 0 ? arguments[^1] : 0;
            case BuiltinCode.Concatenation:
                return Concatenate(arguments);
            case BuiltinCode.Replace:
                return arguments is [var text, var pattern, var replacement] && Text(text) is { } t && PatternOf(pattern) is { } p && Text(replacement) is { } r ? Replaced(p, t, r) : 0;
            case BuiltinCode.Uri:
                return terms.Kind(arguments[0]) switch
                {
                    TermKind.Iri => terms.Intern(TermKind.Literal, terms.Key(arguments[0]), Known.String),
                    TermKind.Literal when Uri.IsWellFormedUriString(terms.Text(arguments[0]), UriKind.Absolute) => terms.Intern(TermKind.Iri, terms.Key(arguments[0]), 0),
                    _ => 0,
                };
            case BuiltinCode.TextLength:
                return Text(arguments[0]) is { } counted ? terms.Intern(Number.Of(counted.EnumerateRunes().Count())) : 0;
            case BuiltinCode.LowerCase:
                return Text(arguments[0]) is { } upper ? terms.InternString(upper.ToLowerInvariant()) : 0;
            case BuiltinCode.UpperCase:
                return Text(arguments[0]) is { } lower ? terms.InternString(lower.ToUpperInvariant()) : 0;
            case >= BuiltinCode.InSeconds:
                return Time(arguments[0]) is { } time ? terms.Intern(Part(code, time)) : 0;
            default:
                return Arithmetic(code, arguments) is { } number ? terms.Intern(Bounded(number)) : 0;
        }
    }

    /// <summary>Whether a result is what was bound before: numbers by value.</summary>
    public bool IsSame(BuiltinCode code, int result, int bound) =>
        result == bound || (code is not BuiltinCode.Same and not BuiltinCode.First and not BuiltinCode.Last && terms.TryNumber(result, out _) && terms.TryNumber(bound, out _) && Compare(result, bound) == 0);

    /// <summary>One order of terms, the same in every run: numbers by value, then by what they are and their text.</summary>
    public int Order(int left, int right)
    {
        if (left == right)
            return 0;
        var (isLeft, isRight) = (terms.TryNumber(left, out var a), terms.TryNumber(right, out var b));
        if (isLeft != isRight)
            return isLeft ? -1 : 1;
        if (isLeft && Number.Compare(a, b) is { } order and not 0)
            return order;
        var kinds = terms.Kind(left).CompareTo(terms.Kind(right));
        if (kinds != 0)
            return kinds;
        var keys = terms.Key(left).SequenceCompareTo(terms.Key(right));
        return keys != 0 ? keys : terms.Datatype(left).CompareTo(terms.Datatype(right));
    }

    /// <summary>Numbers as XPath compares them, times by instant; null when they can't be compared.</summary>
    public int? Compare(int left, int right)
    {
        if (terms.TryNumber(left, out var a))
            return terms.TryNumber(right, out var b) ? Number.Compare(a, b) : null;
        return Time(left) is { } early && Time(right) is { } late ? early.CompareTo(late) : null;
    }

    public static bool Holds(BuiltinCode code, int order) => code switch
    {
        BuiltinCode.Greater => order > 0,
        BuiltinCode.Less => order < 0,
        BuiltinCode.NotGreater => order <= 0,
        BuiltinCode.NotLess => order >= 0,
        BuiltinCode.NumberEqual => order == 0,
        _ => order != 0,
    };

    private static bool Test(BuiltinCode code, string a, string b) => code switch
    {
        BuiltinCode.Contains => a.Contains(b, StringComparison.Ordinal),
        BuiltinCode.ContainsIgnoringCase => a.Contains(b, StringComparison.OrdinalIgnoreCase),
        BuiltinCode.StartsWith => a.StartsWith(b, StringComparison.Ordinal),
        BuiltinCode.EndsWith => a.EndsWith(b, StringComparison.Ordinal),
        BuiltinCode.EqualIgnoringCase => a.Equals(b, StringComparison.OrdinalIgnoreCase),
        BuiltinCode.NotEqualIgnoringCase => !a.Equals(b, StringComparison.OrdinalIgnoreCase),
        BuiltinCode.TextGreater => string.CompareOrdinal(a, b) > 0,
        BuiltinCode.TextLess => string.CompareOrdinal(a, b) < 0,
        BuiltinCode.TextNotGreater => string.CompareOrdinal(a, b) <= 0,
        BuiltinCode.TextNotLess => string.CompareOrdinal(a, b) >= 0,
        _ => false,
    };

    private Number? Arithmetic(BuiltinCode code, ReadOnlySpan<int> arguments)
    {
        if (code is BuiltinCode.Sum or BuiltinCode.Product)
        {
            var total = Number.Of(code == BuiltinCode.Sum ? 0 : 1);
            foreach (var argument in arguments)
            {
                if (!terms.TryNumber(argument, out var number))
                    return null;
                total = code == BuiltinCode.Sum ? total + number : total * number;
            }
            return total;
        }
        if (arguments.Length == 0 || !terms.TryNumber(arguments[0], out var first))
            return null;
        switch (code)
        {
            case BuiltinCode.Max or BuiltinCode.Min:
                foreach (var argument in arguments[1..])
                {
                    if (!terms.TryNumber(argument, out var number) || Number.Compare(number, first) is not { } order)
                        return null;
                    if (code == BuiltinCode.Max ? order > 0 : order < 0)
                        first = number;
                }
                return first;
            case BuiltinCode.Negation:
                return arguments.Length == 1 ? first.Negated : null;
            case BuiltinCode.Absolute:
                return arguments.Length == 1 ? first.Absolute : null;
            case BuiltinCode.Rounded:
                return arguments.Length == 1 ? first.Rounded : null;
            case BuiltinCode.Floor:
                return arguments.Length == 1 ? first.Floored : null;
            case BuiltinCode.Ceiling:
                return arguments.Length == 1 ? first.Ceiled : null;
        }
        if (arguments.Length != 2 || !terms.TryNumber(arguments[1], out var second))
            return null;
        return code switch
        {
            BuiltinCode.Difference => first - second,
            BuiltinCode.Quotient => Number.Divide(first, second),
            BuiltinCode.IntegerQuotient => Number.Divide(first, second) is { } quotient ? (quotient.AsDouble < 0 ? quotient.Ceiled : quotient.Floored) : null,
            BuiltinCode.Remainder => Number.Remainder(first, second),
            BuiltinCode.Power => Number.Power(first, second),
            _ => null,
        };
    }

    // A rule that squares what it has made needs few steps for more digits than there is memory.
    private static Number Bounded(in Number number) => number.Bits <= MostBits ? number : throw TooLong($"a number of more than {MostBits} bits");

    private static void CheckLength(long length)
    {
        if (length > LongestText)
            throw TooLong($"a text of more than {LongestText} characters");
    }

    private static EngineException TooLong(string what) => new(new EngineError(EngineErrorKind.StepLimit, $"a rule computes {what}"));

    private int Concatenate(ReadOnlySpan<int> arguments)
    {
        var text = new StringBuilder();
        foreach (var argument in arguments)
        {
            if (Text(argument) is not { } part)
                return 0;
            text.Append(part);
            CheckLength(text.Length);
        }
        return terms.InternString(text.ToString());
    }

    private int Replaced(Regex pattern, string text, string replacement)
    {
        try
        {
            CheckLength(text.Length + (pattern.Count(text) * (long)replacement.Length));
            return terms.InternString(pattern.Replace(text, replacement));
        }
        catch (RegexMatchTimeoutException)
        {
            return 0;
        }
    }

    private static bool? IsMatch(Regex pattern, string text)
    {
        try
        {
            return pattern.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return null;
        }
    }

    private Regex? PatternOf(int term)
    {
        if (_patterns.TryGetValue(term, out var pattern))
            return pattern;
        if (Text(term) is { } text)
        {
            try
            {
                // Not by backtracking: no pattern takes longer than its text is long.
                pattern = new Regex(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, LongestMatch);
            }
            catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
            {
                // No such pattern matches anything.
                pattern = null;
            }
        }
        if (_patterns.Count > 1_000)
            _patterns.Clear();
        return _patterns[term] = pattern;
    }

    private string? Text(int term) => terms.IsLiteral(term) ? terms.Text(term) : null;

    private DateTime? Time(int term)
    {
        if (!terms.IsLiteral(term) || terms.Datatype(term) is not (Known.Date or Known.DateTime))
            return null;
        var text = terms.Text(term).Trim();
        // Without a time zone: UTC.
        return DateTime.TryParse(text, CultureInfo.InvariantCulture, AsUtc, out var time) && text.Length >= 10 && text[4] == '-' ? time : null;
    }

    private static Number Part(BuiltinCode code, DateTime time) => code switch
    {
        BuiltinCode.InSeconds => Number.Exact(NumberType.Decimal, (time - DateTime.UnixEpoch).Ticks, 7),
        BuiltinCode.Year => Number.Of(time.Year),
        BuiltinCode.Month => Number.Of(time.Month),
        BuiltinCode.Day => Number.Of(time.Day),
        BuiltinCode.Hour => Number.Of(time.Hour),
        BuiltinCode.Minute => Number.Of(time.Minute),
        BuiltinCode.Second => Number.Exact(NumberType.Decimal, time.Ticks % TimeSpan.TicksPerMinute, 7),
        _ => Number.Of((int)time.DayOfWeek),
    };
}
