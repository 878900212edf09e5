using System.Text;
using IoT.Modules.Semantics.Live;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Live;

public sealed class LiveValueTests(SharedPlatform platform)
{
    [Theory]
    [InlineData("23.5", nameof(LiveKind.Decimal), "23.5")]
    [InlineData("23.50", nameof(LiveKind.Decimal), "23.50")]
    [InlineData("-7", nameof(LiveKind.Integer), "-7")]
    [InlineData("-0", nameof(LiveKind.Integer), "0")]
    [InlineData("-0.0", nameof(LiveKind.Decimal), "0.0")]
    [InlineData("1.5e1", nameof(LiveKind.Integer), "15")]
    [InlineData("1.25E1", nameof(LiveKind.Decimal), "12.5")]
    [InlineData("1e-7", nameof(LiveKind.Decimal), "0.0000001")]
    [InlineData("0e10", nameof(LiveKind.Integer), "0")]
    [InlineData("9999999999999999999999999999", nameof(LiveKind.Integer), "9999999999999999999999999999")]
    [InlineData("99999999999999999999999999999", nameof(LiveKind.Double), "1.0E29")]
    [InlineData("1e300", nameof(LiveKind.Double), "1.0E300")]
    [InlineData("-1.5e-40", nameof(LiveKind.Double), "-1.5E-40")]
    [InlineData("123456789012345678901234567890.25", nameof(LiveKind.Double), "1.2345678901234568E29")]
    public void Numbers_are_integers_decimals_or_doubles(string json, string kind, string text)
    {
        Assert.True(LiveValue.TryNumber(Encoding.UTF8.GetBytes(json), out var value));
        Assert.Equal((kind, text), (value.Kind.ToString(), value.Text));
        Assert.Equal(value, LiveValue.Stored(value.Kind, value.Text));
    }

    [Fact]
    public void A_number_beyond_doubles_is_no_fact() => Assert.False(LiveValue.TryNumber("1e400"u8, out _));

    /// <summary>What PostgreSQL makes of a number is the same value: a restart changes no fact.</summary>
    [Fact]
    public async Task A_number_that_was_stored_is_the_number_that_was_sent()
    {
        var random = new Random(7);
        List<string> numbers = ["0", "-0", "0.0", "-0.00", "1e5", "1E+5", "1e-5", "0.1e1", "12e-1", "1e27", "1e28", "1e29", "0.0000000000000000000000000001", "0.00000000000000000000000000001", "1e308", "4e-320"];
        for (var i = 0; i < 2_000; i++)
        {
            var digits = string.Concat(Enumerable.Range(0, random.Next(1, 32)).Select(_ => random.Next(10))).TrimStart('0');
            var whole = digits.Length == 0 ? "0" : digits;
            var fraction = random.Next(2) == 0 ? "" : "." + string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(10)));
            numbers.Add($"{(random.Next(2) == 0 ? "-" : "")}{whole}{fraction}{(random.Next(3) == 0 ? $"e{random.Next(-35, 35)}" : "")}");
        }
        var stored = await platform.ScalarAsync<string[]>("select array_agg((n::jsonb)::text order by i) from unnest($1::text[]) with ordinality as x (n, i)", (object)numbers.ToArray());
        Assert.All(numbers.Zip(stored), pair =>
        {
            Assert.Equal(
                (LiveValue.TryNumber(Encoding.UTF8.GetBytes(pair.First), out var sent), sent),
                (LiveValue.TryNumber(Encoding.UTF8.GetBytes(pair.Second), out var read), read));
        });
    }
}
