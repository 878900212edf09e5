using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Semantics.Conversion;

public sealed class ConversionTests(SharedPlatform platform)
{
    private const string Prefixes =
        """
        @prefix sosa: <http://www.w3.org/ns/sosa/> .
        @prefix qudt: <http://qudt.org/schema/qudt/> .
        @prefix unit: <http://qudt.org/vocab/unit/> .
        @prefix quantity: <http://qudt.org/vocab/quantitykind/> .

        """;

    [Fact]
    public async Task A_profile_gives_members_property_and_unit_and_what_has_none_is_counted()
    {
        await using var site = new Site(platform);
        var id = Platform.NewId("press");
        Assert.Equal(201, (await platform.Client.PostJsonAsync("/api/v1/devices", new { id, type = $"T{site.Mark}" })).Status);
        await site.PutModelAsync($"{Prefixes}iot:T{site.Mark} iot:maps [ iot:member \"motor.temperature\" ; sosa:observedProperty quantity:Temperature ; qudt:hasUnit unit:DEG_C ] .");
        for (var i = 0; i < 3; i++)
            Assert.Equal(200, (await platform.Client.PostReadingAsync($$$"""{"device_id":"{{{id}}}","data_type":"m","timestamp":"{{{$"2026-01-01T00:00:0{i}Z"}}}","payload":{"motor":{"temperature":61.5},"mode":"a{{{i}}}","n":{{{i}}}}}""")).Status);

        var history = await platform.Client.ReadAsync($"/api/v1/devices/{id}/data?limit=1", "application/ld+json");
        Assert.Equal((200, "application/ld+json"), (history.Status, history.ContentType));
        Assert.Equal("http://www.w3.org/ns/sosa/", history.Json.GetProperty("@context").GetProperty("sosa").GetString());
        var observations = history.Json.GetProperty("@graph").EnumerateArray().ToDictionary(o => o.GetProperty("sosa:observedProperty").GetString()!);
        Assert.Equal(3, observations.Count);
        var mapped = observations["http://qudt.org/vocab/quantitykind/Temperature"];
        Assert.Equal(
            ("sosa:Observation", $"urn:iot:device:{id}", "2026-01-01T00:00:02Z", "http://qudt.org/vocab/unit/DEG_C", "61.5"),
            (mapped.GetProperty("@type").GetString(), mapped.GetProperty("sosa:madeBySensor").GetString(), mapped.GetProperty("sosa:resultTime").GetString(),
                mapped.GetProperty("sosa:hasResult").GetProperty("qudt:unit").GetString(), mapped.GetProperty("sosa:hasResult").GetProperty("qudt:numericValue").GetProperty("@value").GetString()));
        Assert.Equal((2, "a2"), (observations["urn:iot:metric:n"].GetProperty("sosa:hasSimpleResult").GetInt32(), observations["urn:iot:metric:mode"].GetProperty("sosa:hasSimpleResult").GetString()));
        await platform.Client.PostReadingAsync($$$"""{"device_id":"{{{id}}}","data_type":"m","timestamp":"2026-01-01T00:00:03Z","payload":{"total":9007199254740993}}""");
        var total = (await platform.Client.ReadAsync($"/api/v1/devices/{id}/data?limit=1&format=jsonld")).Json.GetProperty("@graph")[0].GetProperty("sosa:hasSimpleResult");
        Assert.Equal(("xsd:integer", "9007199254740993"), (total.GetProperty("@type").GetString(), total.GetProperty("@value").GetString()));
        Assert.Equal(10, (await platform.Client.ReadAsync($"/api/v1/devices/{id}/data?format=jsonld")).Json.GetProperty("@graph").GetArrayLength());

        var unmapped = (await platform.Client.ReadAsync("/api/v1/conversion?limit=10000")).Json.GetProperty("unmapped").EnumerateArray()
            .Where(u => u.GetProperty("device_id").GetString() == id).ToDictionary(u => u.GetProperty("member").GetString()!, u => u.GetProperty("count").GetInt32());
        Assert.Equal((3, 3), (unmapped["mode"], unmapped["n"]));
        Assert.DoesNotContain("motor.temperature", unmapped.Keys);
        Assert.Contains("iot_semantics_conversion_rate", (await platform.Client.ReadAsync("/metrics")).Text, StringComparison.Ordinal);
    }
}
