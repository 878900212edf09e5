using System.Buffers.Text;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace IoT.Modules.Semantics.Terms;

internal enum NumberType : byte
{
    None,
    Integer,
    Decimal,
    Float,
    Double,
}

/// <summary>
/// A numeric value. Integers and decimals are exact, whatever their length: a mantissa and the number of digits after the point.
/// Floats and doubles are what IEEE 754 says.
/// </summary>
internal readonly struct Number
{
    /// <summary>Digits after the point of a quotient that doesn't come out even; the last one rounded half to even.</summary>
    public const int QuotientDigits = 34;

    private readonly long _small;
    private readonly object? _big;
    private readonly double _double;
    private readonly int _scale;

    private Number(NumberType type, long small, object? big, int scale, double value) =>
        (Type, _small, _big, _scale, _double) = (type, small, big, scale, value);

    public NumberType Type { get; }

    /// <summary>The value as a double; of exact numbers the nearest one.</summary>
    public double AsDouble => _double;

    public bool IsExact => Type is NumberType.Integer or NumberType.Decimal;

    /// <summary>Length of an exact value that is a long one.</summary>
    public long Bits => _big is null ? 0 : Mantissa.GetBitLength();

    private BigInteger Mantissa => _big is null ? _small : (BigInteger)_big;

    public static Number Of(long value) => new(NumberType.Integer, value, null, 0, value);

    public static Number OfDouble(double value) => new(NumberType.Double, 0, null, 0, value);

    public static Number OfFloat(float value) => new(NumberType.Float, 0, null, 0, value);

    public static Number Exact(NumberType type, BigInteger mantissa, int scale)
    {
        while (scale > 0 && mantissa.IsZero)
            scale = 0;
        while (scale > 0)
        {
            var (quotient, remainder) = BigInteger.DivRem(mantissa, 10);
            if (!remainder.IsZero)
                break;
            mantissa = quotient;
            scale--;
        }
        return mantissa >= long.MinValue && mantissa <= long.MaxValue
            ? Small(type, (long)mantissa, scale)
            : new Number(type, 0, mantissa, scale, Approximate(mantissa, scale));
    }

    // Of readings: no long numbers are needed.
    private static Number Exact(NumberType type, Int128 mantissa, int scale)
    {
        if (mantissa < long.MinValue || mantissa > long.MaxValue)
            return Exact(type, (BigInteger)mantissa, scale);
        var small = (long)mantissa;
        while (scale > 0 && small % 10 == 0)
        {
            small /= 10;
            scale--;
        }
        return Small(type, small, scale);
    }

    // Exact numbers whose mantissas, brought to the same scale, can't overflow when they are added.
    private static bool AreSmall(in Number left, in Number right, out Int128 a, out Int128 b, out int scale)
    {
        (a, b, scale) = (0, 0, 0);
        if (!left.IsExact || !right.IsExact || left._big is not null || right._big is not null || Math.Abs(left._scale - right._scale) >= Powers.Length)
            return false;
        scale = Math.Max(left._scale, right._scale);
        a = (Int128)left._small * Powers[scale - left._scale];
        b = (Int128)right._small * Powers[scale - right._scale];
        return true;
    }

    /// <summary>Reads the lexical form of a numeric type; false when it isn't one of that type's.</summary>
    public static bool TryParse(NumberType type, ReadOnlySpan<byte> text, out Number number)
    {
        number = default;
        text = text.Trim(" \t\r\n"u8);
        return type switch
        {
            NumberType.Integer or NumberType.Decimal => TryParseExact(type, text, out number),
            NumberType.Double or NumberType.Float => TryParseBinary(type, text, out number),
            _ => false,
        };
    }

    /// <summary>As XPath compares: exactly while both are exact, otherwise as floats or doubles. Null when one is not a number.</summary>
    public static int? Compare(in Number left, in Number right)
    {
        if (left.IsExact && right.IsExact)
        {
            if (AreSmall(left, right, out var one, out var other, out _))
                return one.CompareTo(other);
            var (a, b, _) = Aligned(left, right);
            return a.CompareTo(b);
        }
        var (x, y) = left.Type == NumberType.Double || right.Type == NumberType.Double
            ? (left._double, right._double)
            : ((float)left._double, (float)right._double);
        return double.IsNaN(x) || double.IsNaN(y) ? null : x.CompareTo(y);
    }

    public static Number operator +(in Number left, in Number right) => AreSmall(left, right, out var a, out var b, out var scale)
        ? Exact(Wider(left, right), a + b, scale)
        : Apply(left, right, static (a, b) => a + b, static (a, b) => a + b);

    public static Number operator -(in Number left, in Number right) => AreSmall(left, right, out var a, out var b, out var scale)
        ? Exact(Wider(left, right), a - b, scale)
        : Apply(left, right, static (a, b) => a - b, static (a, b) => a - b);

    public static Number operator *(in Number left, in Number right) => left.IsExact && right.IsExact
        ? Exact(Wider(left, right), left.Mantissa * right.Mantissa, left._scale + right._scale)
        : Binary(left, right, left._double * right._double);

    /// <summary>Null for a division of exact numbers by zero.</summary>
    public static Number? Divide(in Number left, in Number right)
    {
        if (!left.IsExact || !right.IsExact)
            return Binary(left, right, left._double / right._double);
        if (right.Mantissa.IsZero)
            return null;
        var (a, b, _) = Aligned(left, right);
        return RoundedQuotient(a, b, QuotientDigits);
    }

    public static Number? Remainder(in Number left, in Number right)
    {
        if (!left.IsExact || !right.IsExact)
            return Binary(left, right, left._double - (right._double * Math.Floor(left._double / right._double)));
        if (right.Mantissa.IsZero)
            return null;
        // The sign follows the divisor, as in the other N3 engines.
        var (a, b, scale) = Aligned(left, right);
        var remainder = BigInteger.Remainder(a, b);
        if (!remainder.IsZero && remainder.Sign != b.Sign)
            remainder += b;
        return Exact(Wider(left, right), remainder, scale);
    }

    public static Number? Power(in Number left, in Number right)
    {
        if (left.IsExact && right is { Type: NumberType.Integer, _big: null, _small: >= 0 and <= 1000 } && left.Mantissa.GetBitLength() * right._small < 100_000)
            return Exact(left.Type, BigInteger.Pow(left.Mantissa, (int)right._small), left._scale * (int)right._small);
        var power = Math.Pow(left._double, right._double);
        return double.IsNaN(power) && !double.IsNaN(left._double) && !double.IsNaN(right._double) ? null : OfDouble(power);
    }

    public Number Negated => IsExact ? Exact(Type, -Mantissa, _scale) : new Number(Type, 0, null, 0, -_double);

    public Number Absolute => IsExact ? Exact(Type, BigInteger.Abs(Mantissa), _scale) : new Number(Type, 0, null, 0, Math.Abs(_double));

    /// <summary>To the nearest integer, halves upward, as XPath's fn:round; of whatever type, an integer. Null of what is not finite.</summary>
    public Number? Rounded => IsExact ? Floor(Exact(NumberType.Decimal, (Mantissa * 2) + BigInteger.Pow(10, _scale), _scale), 2) : Whole(HalfUp(_double));

    public Number? Floored => IsExact ? Floor(this, 1) : Whole(Math.Floor(_double));

    public Number? Ceiled => IsExact ? Floor(Negated, 1).Negated : Whole(Math.Ceiling(_double));

    /// <summary>The canonical lexical form of its type.</summary>
    public string Lexical
    {
        get
        {
            switch (Type)
            {
                case NumberType.Integer:
                    return Mantissa.ToString(CultureInfo.InvariantCulture);
                case NumberType.Decimal:
                {
                    var digits = BigInteger.Abs(Mantissa).ToString(CultureInfo.InvariantCulture).PadLeft(_scale + 1, '0');
                    var sign = Mantissa.Sign < 0 ? "-" : "";
                    return _scale == 0 ? $"{sign}{digits}.0" : $"{sign}{digits[..^_scale]}.{digits[^_scale..]}";
                }
                default:
                    return double.IsNaN(_double) ? "NaN" : double.IsPositiveInfinity(_double) ? "INF" : double.IsNegativeInfinity(_double) ? "-INF" : Scientific();
            }
        }
    }

    public int Datatype => Type switch
    {
        NumberType.Integer => Known.Integer,
        NumberType.Decimal => Known.Decimal,
        NumberType.Float => Known.Float,
        _ => Known.Double,
    };

    private string Scientific()
    {
        var text = Type == NumberType.Float
            ? ((float)_double).ToString("E8", CultureInfo.InvariantCulture)
            : _double.ToString("E16", CultureInfo.InvariantCulture);
        // The shortest text that reads back as the same value.
        for (var digits = 0; digits < (Type == NumberType.Float ? 8 : 16); digits++)
        {
            var shorter = _double.ToString($"E{digits}", CultureInfo.InvariantCulture);
            var back = double.Parse(shorter, CultureInfo.InvariantCulture);
            if (Type == NumberType.Float ? (float)back == (float)_double : back.Equals(_double))
            {
                text = shorter;
                break;
            }
        }
        var at = text.IndexOf('E', StringComparison.Ordinal);
        var mantissa = text[..at].Contains('.', StringComparison.Ordinal) ? text[..at].TrimEnd('0') : text[..at] + ".0";
        if (mantissa.EndsWith('.'))
            mantissa += "0";
        return $"{mantissa}E{int.Parse(text[(at + 1)..], CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)}";
    }

    private static Number Small(NumberType type, long mantissa, int scale) =>
        new(type, mantissa, null, scale, scale == 0 ? mantissa : Approximate(mantissa, scale));

    private static double Approximate(BigInteger mantissa, int scale)
    {
        // Up to 2^53 and 10^22 both parts are exact and the division rounds once.
        if (scale <= 22 && BigInteger.Abs(mantissa) <= 1L << 53)
            return (double)mantissa / Math.Pow(10, scale);
        return double.Parse($"{mantissa.ToString(CultureInfo.InvariantCulture)}E-{scale.ToString(CultureInfo.InvariantCulture)}", CultureInfo.InvariantCulture);
    }

    private static double Approximate(long mantissa, int scale) =>
        scale < Tens.Length && Math.Abs((double)mantissa) <= 1L << 53 ? mantissa / Tens[scale] : Approximate((BigInteger)mantissa, scale);

    private static readonly System.Buffers.SearchValues<byte> BinaryCharacters = System.Buffers.SearchValues.Create("0123456789+-.eE"u8);
    private static readonly long[] Powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000, 1_000_000_000_000];
    private static readonly double[] Tens = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

    private static Number Apply(in Number left, in Number right, Func<BigInteger, BigInteger, BigInteger> exact, Func<double, double, double> binary)
    {
        if (!left.IsExact || !right.IsExact)
            return Binary(left, right, binary(left._double, right._double));
        var (a, b, scale) = Aligned(left, right);
        return Exact(Wider(left, right), exact(a, b), scale);
    }

    private static Number Binary(in Number left, in Number right, double value) =>
        left.Type == NumberType.Double || right.Type == NumberType.Double ? OfDouble(value) : OfFloat((float)value);

    private static NumberType Wider(in Number left, in Number right) =>
        left.Type == NumberType.Decimal || right.Type == NumberType.Decimal ? NumberType.Decimal : NumberType.Integer;

    private static (BigInteger Left, BigInteger Right, int Scale) Aligned(in Number left, in Number right)
    {
        var scale = Math.Max(left._scale, right._scale);
        return (left.Mantissa * BigInteger.Pow(10, scale - left._scale), right.Mantissa * BigInteger.Pow(10, scale - right._scale), scale);
    }

    private static Number RoundedQuotient(BigInteger left, BigInteger right, int digits)
    {
        if (right.Sign < 0)
            (left, right) = (-left, -right);
        var (quotient, remainder) = BigInteger.DivRem(left * BigInteger.Pow(10, digits), right);
        var half = (BigInteger.Abs(remainder) * 2).CompareTo(right);
        if (half > 0 || (half == 0 && !quotient.IsEven))
            quotient += left.Sign;
        return Exact(NumberType.Decimal, quotient, digits);
    }

    private static Number Floor(in Number number, int divisor)
    {
        var unit = BigInteger.Pow(10, number._scale) * divisor;
        var quotient = BigInteger.Divide(number.Mantissa, unit);
        if (number.Mantissa.Sign < 0 && quotient * unit != number.Mantissa)
            quotient -= 1;
        return Exact(NumberType.Integer, quotient, 0);
    }

    private static Number? Whole(double value) => double.IsFinite(value) ? Exact(NumberType.Integer, new BigInteger(value), 0) : null;

    // Adding a half to the greatest double below one would give one.
    private static double HalfUp(double value) => Math.Floor(value) is var floor && value - floor >= 0.5 ? floor + 1 : floor;

    private static bool TryParseExact(NumberType type, ReadOnlySpan<byte> text, out Number number)
    {
        number = default;
        var index = 0;
        var negative = false;
        if (text.Length > 0 && text[0] is (byte)'+' or (byte)'-')
        {
            negative = text[0] == '-';
            index = 1;
        }
        long mantissa = 0;
        int digits = 0, scale = 0, zeros = 0;
        var point = false;
        for (var i = index; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '.' && !point && type == NumberType.Decimal)
            {
                point = true;
                continue;
            }
            if (!char.IsAsciiDigit((char)c))
                return false;
            digits++;
            if (digits <= 18)
                mantissa = (mantissa * 10) + (c - '0');
            if (point)
            {
                scale++;
                zeros = c == '0' ? zeros + 1 : 0;
            }
        }
        if (digits == 0)
            return false;
        if (digits > 18)
        {
            var all = Encoding.ASCII.GetString(text[index..]).Replace(".", "", StringComparison.Ordinal);
            var big = BigInteger.Parse(all, NumberStyles.None, CultureInfo.InvariantCulture);
            number = Exact(type, negative ? -big : big, scale);
            return true;
        }
        for (; zeros > 0; zeros--, scale--)
            mantissa /= 10;
        number = Small(type, negative ? -mantissa : mantissa, scale);
        return true;
    }

    private static bool TryParseBinary(NumberType type, ReadOnlySpan<byte> text, out Number number)
    {
        number = default;
        double value;
        if (text.SequenceEqual("INF"u8) || text.SequenceEqual("+INF"u8))
            value = double.PositiveInfinity;
        else if (text.SequenceEqual("-INF"u8))
            value = double.NegativeInfinity;
        else if (text.SequenceEqual("NaN"u8))
            value = double.NaN;
        else if (text.Length == 0 || text.IndexOfAnyExcept(BinaryCharacters) >= 0)
            return false;
        else if (type == NumberType.Float)
        {
            if (!Utf8Parser.TryParse(text[0] == '+' ? text[1..] : text, out float single, out var used) || used != text.Length - (text[0] == '+' ? 1 : 0))
                return false;
            value = single;
        }
        else if (!Utf8Parser.TryParse(text[0] == '+' ? text[1..] : text, out value, out var used) || used != text.Length - (text[0] == '+' ? 1 : 0))
            return false;
        number = type == NumberType.Float ? OfFloat((float)value) : OfDouble(value);
        return true;
    }
}
