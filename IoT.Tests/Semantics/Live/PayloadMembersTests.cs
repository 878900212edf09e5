using System.Text;
using IoT.Modules.Semantics.Live;
using Xunit;

namespace IoT.Tests.Semantics.Live;

public sealed class PayloadMembersTests
{
    private readonly PayloadMembers _payloads = new(new Metrics());

    [Theory]
    [InlineData("""{"temperature":23.5}""", "temperature=23.5")]
    [InlineData("""{"motor":{"temperature":61.2,"on":true},"state":"run"}""", "motor.temperature=61.2 motor.on=true state=run")]
    [InlineData("""{"r.p.m":900,"a":{"b.c":1}}""", "r%2Ep%2Em=900 a.b%2Ec=1")]
    [InlineData("""{"two words":1,"é":2,"50%":3}""", "two%20words=1 %C3%A9=2 50%25=3")]
    [InlineData("""{"a":[1,2,{"b":3}],"n":null,"":4,"o":{"":5,"p":6}}""", "o.p=6")]
    [InlineData("""{"a":1,"a":2}""", "a=2")]
    [InlineData("""{"a":1,"a":null,"b":2}""", "b=2")]
    [InlineData("""{"a":{"b":1},"a":{"c":2}}""", "a.c=2")]
    [InlineData("""{"\u0061":1,"a":2}""", "a=2")]
    [InlineData("""{}""", "")]
    public void Members_are_named_by_their_path(string payload, string expected) => Assert.Equal(expected, Read(payload));

    [Fact]
    public void The_same_member_is_the_same_metric_again()
    {
        var first = ReadMembers("""{"a":{"b":1}}""").Single().Metric;
        Assert.Same(first, ReadMembers("""{"x":0,"a":{"b":2}}""")[1].Metric);
    }

    [Fact]
    public void What_is_too_long_or_too_deep_is_left_out()
    {
        var text = new string('x', 5_000);
        Assert.Equal("b=1", Read($$$"""{"a":"{{{text}}}","b":1,"{{{text}}}":2,"{{{text}}}z":{"c":3}}"""));
        var deep = string.Concat(Enumerable.Repeat("{\"d\":", 60)) + "1" + new string('}', 60);
        Assert.Equal("e=1", Read($$"""{"d":{{deep}},"e":1}"""));
    }

    private string Read(string payload) => string.Join(' ', ReadMembers(payload).Select(m => $"{m.Metric.Path}={m.Value.Text}"));

    private List<(Metric Metric, LiveValue Value)> ReadMembers(string payload)
    {
        var members = new List<(Metric Metric, LiveValue Value)>();
        _payloads.Read(Encoding.UTF8.GetBytes(payload), members);
        return members;
    }
}
