using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using IoT.Modules.Semantics.Terms;

namespace IoT.Modules.Semantics.Live;

/// <summary>What a member's value is as a literal; stored as a number in <c>latest_values</c>.</summary>
internal enum LiveKind : byte
{
    Integer = 1,
    Decimal = 2,
    Double = 3,
    Boolean = 4,
    Text = 5,
}

/// <summary>
/// A member's value. A number without a fraction is an integer, one with a decimal, exact up to 28 digits; beyond that a double. The same
/// value comes out of what a device sent and of what PostgreSQL makes of it (<c>1.5e1</c> and <c>15</c>), so that a restart changes nothing.
/// </summary>
internal readonly record struct LiveValue
{
    public const int LongestText = 4_096;

    private const int MostDigits = 28;

    private readonly decimal _number;
    private readonly string? _text;

    private LiveValue(LiveKind kind, decimal number, string? text) => (Kind, _number, _text) = (kind, number, text);

    public LiveKind Kind { get; }

    /// <summary>The lexical form.</summary>
    public string Text => _text ?? _number.ToString(CultureInfo.InvariantCulture);

    public Term ToTerm() => Term.Literal(Text, Kind switch
    {
        LiveKind.Integer => Xsd.Integer,
        LiveKind.Decimal => Xsd.Decimal,
        LiveKind.Double => Xsd.Double,
        LiveKind.Boolean => Xsd.Boolean,
        _ => Xsd.String,
    });

    /// <summary>Of an integer or a decimal.</summary>
    public decimal? Exact => Kind is LiveKind.Integer or LiveKind.Decimal ? _number : null;

    /// <summary>Of any number.</summary>
    public double? Number => Kind switch
    {
        LiveKind.Integer or LiveKind.Decimal => (double)_number,
        LiveKind.Double => double.Parse(_text!, NumberStyles.Float, CultureInfo.InvariantCulture),
        _ => null,
    };

    public static LiveValue Of(decimal value) => new(LiveKind.Decimal, value, null);

    public static LiveValue Of(bool value) => new(LiveKind.Boolean, 0, value ? "true" : "false");

    public static LiveValue Of(string text) => new(LiveKind.Text, 0, text);

    public static LiveValue Of(double value) => new(LiveKind.Double, 0, Lexical(value));

    public static LiveValue Of(long value) => new(LiveKind.Integer, value, null);

    /// <summary>As it was stored.</summary>
    public static LiveValue Stored(LiveKind kind, string text) => kind is LiveKind.Integer or LiveKind.Decimal
        ? new LiveValue(kind, decimal.Parse(text, NumberStyles.Number, CultureInfo.InvariantCulture), null)
        : new LiveValue(kind, 0, text);

    /// <summary>False: it says nothing as a fact (null, an array, an object, a text that is too long, a number beyond doubles).</summary>
    public static bool TryRead(ref Utf8JsonReader reader, out LiveValue value)
    {
        value = default;
        switch (reader.TokenType)
        {
            case JsonTokenType.Number:
                return TryNumber(reader.ValueSpan, out value);
            case JsonTokenType.True or JsonTokenType.False:
                value = Of(reader.TokenType == JsonTokenType.True);
                return true;
            case JsonTokenType.String when reader.ValueSpan.Length <= LongestText:
                value = Of(reader.GetString()!);
                return true;
            default:
                return false;
        }
    }

    /// <summary>A JSON number.</summary>
    public static bool TryNumber(ReadOnlySpan<byte> json, out LiveValue value)
    {
        // sensors' usual: 23.5
        if (json.Length <= MostDigits && json.IndexOfAny((byte)'e', (byte)'E') < 0
            && Utf8Parser.TryParse(json, out decimal number, out var used) && used == json.Length)
        {
            value = new LiveValue(json.Contains((byte)'.') ? LiveKind.Decimal : LiveKind.Integer, number == 0 ? Math.Abs(number) : number, null);
            return true;
        }
        return TryOther(json, out value);
    }

    private static bool TryOther(ReadOnlySpan<byte> json, out LiveValue value)
    {
        value = default;
        var isNegative = json[0] == '-';
        var mantissa = isNegative ? json[1..] : json;
        var exponent = 0;
        if (mantissa.IndexOfAny((byte)'e', (byte)'E') is var at and >= 0)
        {
            var power = mantissa[(at + 1)..];
            if (power[0] == '+')
                power = power[1..];
            if (!Utf8Parser.TryParse(power, out exponent, out var used) || used != power.Length)
                exponent = power[0] == '-' ? -100_000 : 100_000;
            mantissa = mantissa[..at];
        }
        var point = mantissa.IndexOf((byte)'.');
        var fraction = point < 0 ? 0 : mantissa.Length - point - 1;
        // The digits without the point, the zeros in front left out; what stands behind the point then.
        Span<byte> digits = stackalloc byte[MostDigits + 1];
        var count = 0;
        foreach (var b in mantissa)
        {
            if (b == '.' || (count == 0 && b == '0'))
                continue;
            if (count > MostDigits)
                break;
            digits[count++] = b;
        }
        var scale = Math.Max(0, fraction - exponent);
        var zeros = count == 0 ? 0 : Math.Max(0, exponent - fraction);
        if (count + (long)zeros > MostDigits || scale > MostDigits)
        {
            if (!Utf8Parser.TryParse(json, out double wide, out var used) || used != json.Length || !double.IsFinite(wide))
                return false;
            value = Of(wide == 0 ? 0d : wide);
            return true;
        }
        var number = 0m;
        foreach (var b in digits[..count])
            number = number * 10 + (b - '0');
        for (var i = 0; i < zeros; i++)
            number *= 10;
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(number, bits);
        value = new LiveValue(scale > 0 ? LiveKind.Decimal : LiveKind.Integer, new decimal(bits[0], bits[1], bits[2], isNegative && number != 0, (byte)scale), null);
        return true;
    }

    // As XML Schema writes doubles: 1.0E30.
    private static string Lexical(double value)
    {
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        if (shortest.IndexOf('E', StringComparison.Ordinal) is var e and >= 0)
        {
            var mantissa = shortest[..e];
            var exponent = int.Parse(shortest.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            return string.Create(CultureInfo.InvariantCulture, $"{(mantissa.Contains('.', StringComparison.Ordinal) ? mantissa : mantissa + ".0")}E{exponent}");
        }
        // Move the point behind the first digit.
        var sign = shortest.StartsWith('-') ? "-" : "";
        var plain = shortest.AsSpan(sign.Length);
        var pointAt = plain.IndexOf('.');
        var all = pointAt < 0 ? plain.ToString() : string.Concat(plain[..pointAt], plain[(pointAt + 1)..]);
        var first = all.AsSpan().IndexOfAnyExcept('0');
        if (first < 0)
            return "0.0E0";
        var power = (pointAt < 0 ? plain.Length : pointAt) - first - 1;
        var rest = all[(first + 1)..].TrimEnd('0');
        return string.Create(CultureInfo.InvariantCulture, $"{sign}{all[first]}.{(rest.Length == 0 ? "0" : rest)}E{power}");
    }
}
