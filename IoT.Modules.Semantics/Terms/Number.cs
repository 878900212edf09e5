using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

internal enum NumberKind : byte
{
    /// <summary>Not a number.</summary>
    None,
    Integer,
    Decimal,
    Float,
    Double,
}

/// <summary>
/// The value of a numeric literal. Integers and decimals are exact, of any size; the double beside them is the nearest one, for comparisons
/// with doubles and for thresholds.
/// </summary>
internal readonly struct Number : IEquatable<Number>
{
    /// <summary>Digits behind the point that a quotient is rounded to, half to even.</summary>
    public const int QuotientDigits = 20;

    private const int MostSmallScale = 18;
    private static readonly BigInteger[] Powers = [.. Enumerable.Range(0, 64).Select(i => BigInteger.Pow(10, i))];
    private static readonly double[] DoublePowers = [.. Enumerable.Range(0, 23).Select(i => double.Parse($"1E{i}", CultureInfo.InvariantCulture))];

    private static readonly SearchValues<byte> DoubleCharacters = SearchValues.Create("0123456789+-.eE"u8);

    private readonly long _small;
    private readonly BigInteger? _big;
    private readonly short _scale;

    private Number(NumberKind kind, double value) => (Kind, Double) = (kind, value);

    private Number(NumberKind kind, BigInteger unscaled, int scale)
    {
        // Trailing zeros say nothing; an integer has no scale.
        while (scale > 0)
        {
            var rest = BigInteger.DivRem(unscaled, 10, out var digit);
            if (!digit.IsZero)
                break;
            (unscaled, scale) = (rest, scale - 1);
        }
        Kind = kind;
        _scale = checked((short)scale);
        if (scale <= MostSmallScale && unscaled >= long.MinValue && unscaled <= long.MaxValue)
            _small = (long)unscaled;
        else
            _big = unscaled;
        Double = ToDouble(unscaled, scale);
    }

    private Number(NumberKind kind, long unscaled, int scale)
    {
        while (scale > 0 && unscaled % 10 == 0)
            (unscaled, scale) = (unscaled / 10, scale - 1);
        (Kind, _small, _scale) = (kind, unscaled, (short)scale);
        Double = Math.Abs(unscaled) <= 1L << 53 && unscaled != long.MinValue ? unscaled / DoublePowers[scale] : ToDouble(unscaled, scale);
    }

    public NumberKind Kind { get; }

    /// <summary>The value itself, or for exact numbers the double nearest to it.</summary>
    public double Double { get; }

    public bool IsNumber => Kind != NumberKind.None;

    public bool IsExact => Kind is NumberKind.Integer or NumberKind.Decimal;

    private BigInteger Unscaled => _big ?? _small;

    public static Number Of(long value) => new(NumberKind.Integer, value, 0);

    public static Number Of(double value) => new(NumberKind.Double, value);

    public static Number Of(BigInteger unscaled, int scale) => new(NumberKind.Decimal, unscaled, scale);

    public static Number OfInteger(BigInteger value) => new(NumberKind.Integer, value, 0);

    /// <summary>By the lexical form and the datatype's index in the dictionary; none when they don't go together.</summary>
    public static Number Parse(ReadOnlySpan<byte> lexical, int datatype)
    {
        var trimmed = lexical.Trim(" \t\r\n"u8);
        return datatype switch
        {
            Known.Decimal => ParseExact(trimmed, NumberKind.Decimal),
            Known.Integer or (>= Known.FirstDerivedInteger and <= Known.LastDerivedInteger) => ParseExact(trimmed, NumberKind.Integer),
            Known.Double => ParseDouble(trimmed, NumberKind.Double),
            Known.Float => ParseDouble(trimmed, NumberKind.Float),
            _ => default,
        };
    }

    /// <summary>As XPath compares: exactly, unless one is a double. Null: one of them is NaN.</summary>
    public static int? Compare(in Number a, in Number b)
    {
        if (a.IsExact && b.IsExact)
        {
            if (a._big is null && b._big is null && a._scale == b._scale)
                return a._small.CompareTo(b._small);
            // Doubles keep the order of what they are nearest to.
            if (a.Double != b.Double)
                return a.Double < b.Double ? -1 : 1;
            var scale = Math.Max(a._scale, b._scale);
            return a.AtScale(scale).CompareTo(b.AtScale(scale));
        }
        return double.IsNaN(a.Double) || double.IsNaN(b.Double) ? null : a.Double == b.Double ? 0 : a.Double < b.Double ? -1 : 1;
    }

    public static Number operator +(in Number a, in Number b)
    {
        if (!a.IsExact || !b.IsExact)
            return new Number(Wider(a, b), a.Double + b.Double);
        if (a._big is null && b._big is null && a._scale == b._scale)
        {
            var sum = unchecked(a._small + b._small);
            if (((a._small ^ sum) & (b._small ^ sum)) >= 0)
                return new Number(Wider(a, b), sum, a._scale);
        }
        var scale = Math.Max(a._scale, b._scale);
        return new Number(Wider(a, b), a.AtScale(scale) + b.AtScale(scale), scale);
    }

    public static Number operator -(in Number a) => a.IsExact ? new Number(a.Kind, -a.Unscaled, a._scale) : new Number(a.Kind, -a.Double);

    public static Number operator -(in Number a, in Number b) => a + -b;

    public static Number operator *(in Number a, in Number b) =>
        a.IsExact && b.IsExact ? new Number(Wider(a, b), a.Unscaled * b.Unscaled, a._scale + b._scale) : new Number(Wider(a, b), a.Double * b.Double);

    /// <summary>None when an exact number is divided by zero.</summary>
    public static Number operator /(in Number a, in Number b)
    {
        if (!a.IsExact || !b.IsExact)
            return new Number(Wider(a, b), a.Double / b.Double);
        if (b.Unscaled.IsZero)
            return default;
        // One digit more than is wanted decides how to round, the remainder whether it is a tie.
        var numerator = a.Unscaled * Power(QuotientDigits + b._scale);
        var denominator = b.Unscaled * Power(a._scale);
        return new Number(NumberKind.Decimal, DivideHalfEven(numerator, denominator), QuotientDigits);
    }

    /// <summary>Rounded towards negative infinity; none when divided by zero.</summary>
    public static Number IntegerQuotient(in Number a, in Number b)
    {
        if (!a.IsExact || !b.IsExact)
            return b.Double == 0 ? default : FromDouble(Math.Floor(a.Double / b.Double));
        return b.Unscaled.IsZero ? default : OfInteger(FloorDivide(a.Unscaled * Power(b._scale), b.Unscaled * Power(a._scale)));
    }

    /// <summary>With the sign of the divisor; none when divided by zero.</summary>
    public static Number Remainder(in Number a, in Number b)
    {
        if (!a.IsExact || !b.IsExact)
            return new Number(Wider(a, b), a.Double - (b.Double * Math.Floor(a.Double / b.Double)));
        return b.Unscaled.IsZero ? default : a - (b * IntegerQuotient(a, b));
    }

    /// <summary>Exact for whole exponents from 0 to 4,096, otherwise a double.</summary>
    public static Number Exponentiation(in Number a, in Number b)
    {
        if (!a.IsExact || b is not { Kind: NumberKind.Integer, _big: null, _small: >= 0 and <= 4_096 } || a.Unscaled.GetBitLength() * b._small > 1 << 20 || a._scale * b._small > short.MaxValue)
            return new Number(NumberKind.Double, Math.Pow(a.Double, b.Double));
        return new Number(a.Kind, BigInteger.Pow(a.Unscaled, (int)b._small), (int)(a._scale * b._small));
    }

    public Number Absolute() => IsExact ? new Number(Kind, BigInteger.Abs(Unscaled), _scale) : new Number(Kind, Math.Abs(Double));

    /// <summary>To a whole number, a half upwards, as <c>fn:round</c>.</summary>
    public Number Rounded() => IsExact
        ? OfInteger(FloorDivide((Unscaled * 2) + Power(_scale), Power(_scale) * 2))
        : FromDouble(Math.Floor(Double + 0.5));

    /// <summary>To so many digits behind the point, a half upwards.</summary>
    public Number RoundedTo(int digits)
    {
        if (!IsExact)
            return new Number(Kind, Math.Floor((Double * Math.Pow(10, digits)) + 0.5) / Math.Pow(10, digits));
        if (digits >= _scale)
            return this;
        var unit = Power(_scale - digits);
        var rounded = FloorDivide((Unscaled * 2) + unit, unit * 2);
        return digits >= 0 ? new Number(Kind, rounded, digits) : new Number(Kind, rounded * Power(-digits), 0);
    }

    public Number Floor() => IsExact ? OfInteger(FloorDivide(Unscaled, Power(_scale))) : FromDouble(Math.Floor(Double));

    public Number Ceiling() => -(-this).Floor();

    /// <summary>As a whole number that an int holds; null: it is none.</summary>
    public int? ToInt32() => IsExact && _scale == 0 && _big is null && _small is >= int.MinValue and <= int.MaxValue ? (int)_small : null;

    /// <summary>The canonical lexical form.</summary>
    public string Lexical()
    {
        if (!IsExact)
            return Doubles.Lexical(Double, Kind == NumberKind.Float);
        var digits = BigInteger.Abs(Unscaled).ToString(CultureInfo.InvariantCulture);
        var sign = Unscaled.Sign < 0 ? "-" : "";
        if (_scale == 0)
            return Kind == NumberKind.Integer ? sign + digits : $"{sign}{digits}.0";
        digits = digits.PadLeft(_scale + 1, '0');
        return $"{sign}{digits[..^_scale]}.{digits[^_scale..]}";
    }

    public string Datatype => Kind switch
    {
        NumberKind.Integer => Xsd.Integer,
        NumberKind.Decimal => Xsd.Decimal,
        NumberKind.Float => Xsd.Float,
        _ => Xsd.Double,
    };

    public Term ToTerm() => Term.Literal(Lexical(), Datatype);

    public bool Equals(Number other) => Kind == other.Kind && (IsExact ? Compare(this, other) == 0 : Double.Equals(other.Double));

    public override bool Equals(object? obj) => obj is Number other && Equals(other);

    public override int GetHashCode() => Double.GetHashCode();

    public override string ToString() => IsNumber ? Lexical() : "no number";

    private static Number ParseExact(ReadOnlySpan<byte> text, NumberKind kind)
    {
        var isNegative = text.Length > 0 && text[0] == '-';
        var digits = text.Length > 0 && text[0] is (byte)'-' or (byte)'+' ? text[1..] : text;
        var point = -1;
        var small = 0L;
        if (digits.Length is 0 or > 100_000)
            return default;
        for (var i = 0; i < digits.Length; i++)
        {
            if (digits[i] == '.' && point < 0 && kind == NumberKind.Decimal && digits.Length > 1)
                point = i;
            else if (digits[i] is < (byte)'0' or > (byte)'9')
                return default;
            else if (i < MostSmallScale)
                small = (small * 10) + (digits[i] - '0');
        }
        var scale = point < 0 ? 0 : digits.Length - point - 1;
        if (digits.Length <= MostSmallScale)
            return new Number(kind, isNegative ? -small : small, scale);
        if (scale > short.MaxValue)
            return default;
        var text16 = Encoding.ASCII.GetString(digits).Replace(".", "", StringComparison.Ordinal);
        var unscaled = BigInteger.Parse(text16, NumberStyles.None, CultureInfo.InvariantCulture);
        return new Number(kind, isNegative ? -unscaled : unscaled, scale);
    }

    private static Number ParseDouble(ReadOnlySpan<byte> text, NumberKind kind)
    {
        double value;
        if (text.SequenceEqual("INF"u8) || text.SequenceEqual("+INF"u8))
            value = double.PositiveInfinity;
        else if (text.SequenceEqual("-INF"u8))
            value = double.NegativeInfinity;
        else if (text.SequenceEqual("NaN"u8))
            value = double.NaN;
        else if (text.IndexOfAnyExcept(DoubleCharacters) >= 0 || text.Length == 0)
            return default;
        else
        {
            var isSigned = text[0] == '+';
            if (!Utf8Parser.TryParse(isSigned ? text[1..] : text, out value, out var used) || used != text.Length - (isSigned ? 1 : 0))
                return default;
        }
        return new Number(kind, kind == NumberKind.Float ? (float)value : value);
    }

    private static Number FromDouble(double whole) => double.IsFinite(whole) ? OfInteger(new BigInteger(whole)) : Of(whole);

    private static NumberKind Wider(in Number a, in Number b) => a.Kind > b.Kind ? a.Kind : b.Kind;

    private BigInteger AtScale(int scale) => Unscaled * Power(scale - _scale);

    private static BigInteger Power(int exponent) => exponent < Powers.Length ? Powers[exponent] : BigInteger.Pow(10, exponent);

    private static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        var quotient = BigInteger.DivRem(a, b, out var rest);
        return !rest.IsZero && (rest.Sign < 0) != (b.Sign < 0) ? quotient - 1 : quotient;
    }

    private static BigInteger DivideHalfEven(BigInteger a, BigInteger b)
    {
        var quotient = BigInteger.DivRem(BigInteger.Abs(a), BigInteger.Abs(b), out var rest);
        var twice = (rest * 2).CompareTo(BigInteger.Abs(b));
        if (twice > 0 || (twice == 0 && !quotient.IsEven))
            quotient += 1;
        return a.Sign * b.Sign < 0 ? -quotient : quotient;
    }

    private static double ToDouble(BigInteger unscaled, int scale) =>
        scale == 0 ? (double)unscaled : double.Parse($"{unscaled}E-{scale}", CultureInfo.InvariantCulture);
}
