using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using IoT.Modules.Semantics.Inferences;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Semantics.Naming;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Semantics.Conversion;

/// <summary>History as JSON-LD: a SOSA observation for each member of each reading, with property and unit where a profile of the device's type says them.</summary>
internal sealed class ObservationFormat(Converter converter, LatestValues latest, Metrics metrics) : IHistoryFormat
{
    public string Name => "jsonld";

    public string ContentType => "application/ld+json";

    public IHistoryWriter Open(IBufferWriter<byte> output) => new Writer(output, converter.Profiles, latest, new PayloadMembers(metrics));

    private sealed class Writer(IBufferWriter<byte> output, Profiles profiles, LatestValues latest, PayloadMembers payloads) : IHistoryWriter
    {
        private const string Context =
            """{"sosa":"http://www.w3.org/ns/sosa/","qudt":"http://qudt.org/schema/qudt/","xsd":"http://www.w3.org/2001/XMLSchema#","sosa:resultTime":{"@type":"xsd:dateTime"},"sosa:madeBySensor":{"@type":"@id"},"sosa:observedProperty":{"@type":"@id"},"qudt:unit":{"@type":"@id"}}""";

        // Of an integer that every reader of JSON takes as it is.
        private const int MostExactDigits = 15;

        private readonly Utf8JsonWriter _json = new(output, InferenceJson.Options);
        private readonly List<(Metric Metric, LiveValue Value)> _members = [];
        private (string Device, string? Type) _device = ("", null);

        public void Begin()
        {
            _json.WriteStartObject();
            _json.WritePropertyName("@context"u8);
            _json.WriteRawValue(Context, skipInputValidation: true);
            _json.WriteStartArray("@graph"u8);
        }

        public void Write(StoredReading reading)
        {
            if (_device.Device != reading.DeviceId)
                _device = (reading.DeviceId, latest.TypeOf(reading.DeviceId));
            payloads.Read(Encoding.UTF8.GetBytes(reading.Payload), _members);
            foreach (var (metric, value) in _members)
                Write(reading, metric, value, profiles.Find(_device.Type, metric.Path));
            _json.Flush();
        }

        public void Finish(string? cursor)
        {
            _json.WriteEndArray();
            _json.WriteEndObject();
            _json.Flush();
        }

        public void Dispose() => _json.Dispose();

        private void Write(StoredReading reading, Metric metric, LiveValue value, Mapping? mapping)
        {
            _json.WriteStartObject();
            _json.WriteString("@id"u8, string.Create(CultureInfo.InvariantCulture, $"{Names.Root}observation:{reading.Id}.{metric.Path}"));
            _json.WriteString("@type"u8, "sosa:Observation"u8);
            _json.WriteString("sosa:madeBySensor"u8, Names.OfDevice(reading.DeviceId));
            _json.WriteString("sosa:observedProperty"u8, mapping?.Property ?? metric.Iri);
            _json.WriteString("sosa:resultTime"u8, InferenceJson.TimeText(reading.Timestamp));
            _json.WritePropertyName("sosa:hasSimpleResult"u8);
            WriteTyped(value);
            if (mapping?.Unit is { } unit && value.Number is not null)
            {
                _json.WriteStartObject("sosa:hasResult"u8);
                _json.WriteString("@type"u8, "qudt:QuantityValue"u8);
                _json.WritePropertyName("qudt:numericValue"u8);
                WriteTyped(value);
                _json.WriteString("qudt:unit"u8, unit);
                _json.WriteEndObject();
            }
            _json.WriteEndObject();
        }

        // JSON-LD would make a double of a plain 23.5, which is a decimal here as in the facts, and of a long integer.
        private void WriteTyped(LiveValue value)
        {
            if (value.Kind is not (LiveKind.Decimal or LiveKind.Double or LiveKind.Integer) || (value.Kind == LiveKind.Integer && value.Text.Length <= MostExactDigits))
            {
                InferenceJson.WriteValue(_json, value.ToTerm());
                return;
            }
            _json.WriteStartObject();
            _json.WriteString("@type"u8, value.Kind switch { LiveKind.Decimal => "xsd:decimal"u8, LiveKind.Integer => "xsd:integer"u8, _ => "xsd:double"u8 });
            _json.WriteString("@value"u8, value.Text);
            _json.WriteEndObject();
        }
    }
}
