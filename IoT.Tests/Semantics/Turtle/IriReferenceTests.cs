using IoT.Modules.Semantics.Turtle;
using Xunit;

namespace IoT.Tests.Semantics.Turtle;

public sealed class IriReferenceTests
{
    [Theory]
    // The examples of RFC 3986, section 5.4.1.
    [InlineData("g", "http://a/b/c/g")]
    [InlineData("./g", "http://a/b/c/g")]
    [InlineData("g/", "http://a/b/c/g/")]
    [InlineData("/g", "http://a/g")]
    [InlineData("//g", "http://g")]
    [InlineData("?y", "http://a/b/c/d;p?y")]
    [InlineData("g?y", "http://a/b/c/g?y")]
    [InlineData("#s", "http://a/b/c/d;p?q#s")]
    [InlineData("g#s", "http://a/b/c/g#s")]
    [InlineData("g?y#s", "http://a/b/c/g?y#s")]
    [InlineData(";x", "http://a/b/c/;x")]
    [InlineData("g;x", "http://a/b/c/g;x")]
    [InlineData("g;x?y#s", "http://a/b/c/g;x?y#s")]
    [InlineData("", "http://a/b/c/d;p?q")]
    [InlineData(".", "http://a/b/c/")]
    [InlineData("./", "http://a/b/c/")]
    [InlineData("..", "http://a/b/")]
    [InlineData("../", "http://a/b/")]
    [InlineData("../g", "http://a/b/g")]
    [InlineData("../..", "http://a/")]
    [InlineData("../../", "http://a/")]
    [InlineData("../../g", "http://a/g")]
    // Section 5.4.2.
    [InlineData("../../../g", "http://a/g")]
    [InlineData("../../../../g", "http://a/g")]
    [InlineData("/./g", "http://a/g")]
    [InlineData("/../g", "http://a/g")]
    [InlineData("g.", "http://a/b/c/g.")]
    [InlineData(".g", "http://a/b/c/.g")]
    [InlineData("g..", "http://a/b/c/g..")]
    [InlineData("..g", "http://a/b/c/..g")]
    [InlineData("./../g", "http://a/b/g")]
    [InlineData("./g/.", "http://a/b/c/g/")]
    [InlineData("g/./h", "http://a/b/c/g/h")]
    [InlineData("g/../h", "http://a/b/c/h")]
    [InlineData("g;x=1/./y", "http://a/b/c/g;x=1/y")]
    [InlineData("g;x=1/../y", "http://a/b/c/y")]
    [InlineData("g?y/./x", "http://a/b/c/g?y/./x")]
    [InlineData("g?y/../x", "http://a/b/c/g?y/../x")]
    [InlineData("g#s/./x", "http://a/b/c/g#s/./x")]
    [InlineData("g#s/../x", "http://a/b/c/g#s/../x")]
    public void References_resolve_as_the_rfc_says(string reference, string expected) =>
        Assert.Equal(expected, new IriReference("http://a/b/c/d;p?q").Resolve(reference));

    [Theory]
    // The same references where the base has no query, ends in a slash, has points, or is of another scheme.
    [InlineData("http://a/bb/ccc/d", "..", "http://a/bb/")]
    [InlineData("http://a/bb/ccc/", "g", "http://a/bb/ccc/g")]
    [InlineData("http://a/bb/ccc/", "..", "http://a/bb/")]
    [InlineData("http://a/bb/ccc/", "", "http://a/bb/ccc/")]
    [InlineData("http://a/bb/ccc/..", "g", "http://a/bb/ccc/g")]
    [InlineData("http://a/bb/ccc/../d", ".", "http://a/bb/")]
    [InlineData("http://a/bb/ccc/.", "", "http://a/bb/ccc/.")]
    [InlineData("http://a", "g", "http://a/g")]
    [InlineData("http://a", "", "http://a")]
    [InlineData("http://a", "..", "http://a/")]
    [InlineData("http://a?q", "g", "http://a/g")]
    [InlineData("http://a?q", "?y", "http://a?y")]
    [InlineData("http://a/#f", "#g", "http://a/#g")]
    [InlineData("file:///a/b", "../../c", "file:///c")]
    [InlineData("file:///a/b", "/c", "file:///c")]
    [InlineData("file:///a/b", "//h/c", "file://h/c")]
    [InlineData("file:/a/b", "c", "file:/a/c")]
    [InlineData("urn:a:b", "#c", "urn:a:b#c")]
    [InlineData("mailto:a@b", "?subject=c", "mailto:a@b?subject=c")]
    [InlineData("http://a/ä/b", "ö?ü#ß", "http://a/ä/ö?ü#ß")]
    public void References_resolve_against_bases_of_other_shapes(string baseIri, string reference, string expected) =>
        Assert.Equal(expected, new IriReference(baseIri).Resolve(reference));
}
