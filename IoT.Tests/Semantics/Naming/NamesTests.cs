using IoT.Modules.Semantics.Naming;
using Xunit;

namespace IoT.Tests.Semantics.Naming;

public sealed class NamesTests
{
    [Theory]
    [InlineData("Sensor", "s1", "urn:iot:sensor:s1")]
    [InlineData("Device", "a:b", "urn:iot:device:a%3Ab")]
    [InlineData("Room", "Hall A/1", "urn:iot:room:Hall%20A%2F1")]
    [InlineData("Room", "Küche", "urn:iot:room:K%C3%BCche")]
    [InlineData("Room", "100%", "urn:iot:room:100%25")]
    [InlineData("Room", "a.b_c-D", "urn:iot:room:a.b_c-D")]
    [InlineData("Any", "https://example.org/x#1", "https://example.org/x#1")]
    [InlineData("Any", "urn:site:7", "urn:site:7")]
    [InlineData("Any", "urn:two words", "urn:iot:any:urn%3Atwo%20words")]
    [InlineData("Any", "ftp:x", "urn:iot:any:ftp%3Ax")]
    public void An_entity_is_named_by_type_and_id_unless_its_id_is_an_absolute_IRI(string type, string id, string iri) => Assert.Equal(iri, Names.Entity(type, id));

    [Fact]
    public void A_members_own_dots_are_escaped() => Assert.Equal("r%2Ep%2Em", Names.Member("r.p.m"));

    [Theory]
    [InlineData("urn:iot:device:press-3", "device", "press-3")]
    [InlineData("urn:iot:location:Hall%20A", "location", "Hall%20A")]
    [InlineData("https://example.org/a/b", "iri", "https%3A%2F%2Fexample.org%2Fa%2Fb")]
    [InlineData("urn:iot:odd:a/b", "iri", "urn%3Aiot%3Aodd%3Aa%2Fb")]
    [InlineData("_:b0", "iri", "_%3Ab0")]
    public void A_subject_has_a_topic_of_two_levels(string iri, string type, string id) => Assert.Equal((type, id), Names.TopicOf(iri));
}
