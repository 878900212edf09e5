using System.Globalization;
using System.Text;
using IoT.Modules.Storage.Summaries;
using Xunit;

namespace IoT.Tests.Storage.Summaries;

public sealed class PayloadMetricsTests
{
    [Theory]
    [InlineData("""{"temperature":23.5}""", "temperature=23.5")]
    [InlineData("""{ "a" : { "b" : { "c" : -1e2 } , "d" : 2 } , "e" : 3 }""", "a.b.c=-100 a.d=2 e=3")]
    [InlineData("""{"a.b":1,"a":{"b":2}}""", "a%2Eb=1 a.b=2")]
    [InlineData("""{"\u0061":1,"\u00e9":{"x.y":2}}""", "a=1 é.x%2Ey=2")]
    [InlineData("""{"s":"1","t":true,"n":null,"l":[1,{"m":2},[3]],"o":{},"v":4}""", "v=4")]
    [InlineData("{}", "")]
    [InlineData("""{"":1,"x":{"":2}}""", "x.=2")]
    [InlineData("""{"huge":1e300,"tiny":1e-300,"large":1e290}""", "tiny=0 large=1E+290")]
    [InlineData("""{"a":1,"a":2}""", "a=2")]
    [InlineData("""{"a":1,"b":5,"a":"x"}""", "b=5")]
    [InlineData("""{"a":{"b":1},"c":7,"a":{"d":2}}""", "a.d=2 c=7")]
    [InlineData("""{"x":{"a":1,"\u0061":3}}""", "x.a=3")]
    public void Numbers_are_found_by_their_joined_names(string payload, string expected)
    {
        var metrics = new PayloadMetrics();
        // Twice: the second time every name is known.
        Assert.Equal(expected, Read(metrics, payload));
        Assert.Equal(expected, Read(metrics, payload));
    }

    [Fact]
    public void Objects_of_one_name_in_different_payloads_are_no_duplicates()
    {
        var metrics = new PayloadMetrics();
        Assert.Equal("a.b=1", Read(metrics, """{"a":{"b":1}}"""));
        Assert.Equal("b=1 a.b=2", Read(metrics, """{"b":1,"a":{"b":2}}"""));
    }

    [Fact]
    public void There_are_bounds()
    {
        var metrics = new PayloadMetrics();
        var many = $"{{{string.Join(",", Enumerable.Range(0, 1_500).Select(i => $"\"m{i}\":{i}"))}}}";
        Assert.Equal(PayloadMetrics.MostMetrics, Read(metrics, many).Split(' ').Length);
        Assert.Equal("b=2", Read(metrics, $$"""{"{{new string('x', 256)}}":{"{{new string('y', 256)}}":{"{{new string('z', 256)}}":{"{{new string('w', 256)}}":1} } },"b":2}"""));
        // More names than are kept in memory: they are found all the same.
        for (var i = 0; i < 60_000; i++)
            Assert.Equal($"n{i}=1", Read(metrics, $$"""{"n{{i}}":1}"""));
        Assert.Equal("n1=2", Read(metrics, """{"n1":2}"""));
    }

    private static string Read(PayloadMetrics metrics, string payload)
    {
        var numbers = new List<(PayloadMetrics.Node Metric, double Value)>();
        metrics.Read(Encoding.UTF8.GetBytes(payload), numbers);
        return string.Join(" ", numbers.Select(n => string.Create(CultureInfo.InvariantCulture, $"{n.Metric.Path}={n.Value}")));
    }
}
