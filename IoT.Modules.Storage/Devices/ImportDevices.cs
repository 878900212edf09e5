using System.Globalization;
using System.Text;
using System.Text.Json;
using CsvHelper;
using CsvHelper.Configuration;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.Devices;

/// <summary>
/// <c>POST /api/v1/devices:import</c>: registers the devices of a CSV file, line by line; a line that is wrong doesn't keep the others
/// out. Columns: <c>id</c>, and if wanted <c>name</c>, <c>type</c>, <c>location</c>, <c>labels</c> (a JSON object) and <c>label.NAME</c>.
/// </summary>
internal static class ImportDevices
{
    private const int MaxLines = 10_000;
    private const int MaxBytes = 8 * 1024 * 1024;
    private const string LabelPrefix = "label.";
    private static readonly string[] Columns = ["id", "name", "type", "location", "labels"];

    public static void MapImportDevices(this IEndpointRouteBuilder api) =>
        api.MapPost("/devices:import", HandleAsync).WithTags("Devices").RequireAuthorization(Policies.Operate)
            .WithMetadata(new JsonBody(typeof(string), "text/csv")).Produces<ImportedDevices>().ProducesProblem(400).ProducesProblem(413)
            .WithSummary("Registers the devices of a CSV file with the columns id, name, type, location, labels (JSON), label.NAME; the answer holds their tokens, this once. Up to 10,000 lines");

    /// <param name="Line">As an editor numbers it; the header is 1.</param>
    internal sealed record RejectedDevice(int Line, string? Id, string Error);

    internal sealed record ImportedDevices(int Created, IReadOnlyList<RejectedDevice> Rejected, IReadOnlyList<DeviceWithToken> Items);

    private static async Task<IResult> HandleAsync(IMediator mediator, HttpRequest request, CancellationToken stop)
    {
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxBytes;
        List<(int Line, CreateDevice? Device, string? Id, string? Error)> lines;
        try
        {
            var parsed = await ParseAsync(request.Body, stop);
            if (parsed.Failure is { } failure)
                return failure.ToResult();
            lines = parsed.Value;
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return new Failure(FailureKind.TooLarge, $"The body is over {MaxBytes} bytes; send the file in parts.").ToResult();
        }

        var (created, rejected) = (new List<DeviceWithToken>(), new List<RejectedDevice>());
        Failure? away = null;
        foreach (var (line, device, id, error) in lines)
        {
            if (device is null || away is not null)
            {
                rejected.Add(new RejectedDevice(line, id, error ?? away!.Detail));
                continue;
            }
            var outcome = await mediator.Send(device, stop);
            if (outcome.Failure is { } failure)
                rejected.Add(new RejectedDevice(line, id, failure.Detail));
            else
                created.Add(outcome.Value);
            // The rest of them would each wait as long; those that are made already are to be answered.
            if (outcome.Failure is { Kind: FailureKind.Unavailable or FailureKind.Busy })
                away = outcome.Failure;
        }
        return created.Count == 0 && rejected.Count > 0
            ? new Failure(away?.Kind ?? FailureKind.Invalid, $"No device was registered. Line {rejected[0].Line}: {rejected[0].Error}").ToResult(new Dictionary<string, object?> { ["created"] = 0, ["rejected"] = rejected, ["items"] = created })
            : Results.Json(new ImportedDevices(created.Count, rejected, created), Json.Options);
    }

    private static async Task<Outcome<List<(int Line, CreateDevice? Device, string? Id, string? Error)>>> ParseAsync(Stream body, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(body, new UTF8Encoding(false, throwOnInvalidBytes: true));
        using var csv = new CsvReader(reader, new CsvConfiguration(CultureInfo.InvariantCulture) { TrimOptions = TrimOptions.Trim, MaxFieldSize = 64 * 1024, MissingFieldFound = null });
        var lines = new List<(int, CreateDevice?, string?, string?)>();
        try
        {
            if (!await csv.ReadAsync() || !csv.ReadHeader())
                return Failure.Invalid("body", "is empty; the first line names the columns: id,name,type,location,labels");
            var header = csv.HeaderRecord!;
            if (header.FirstOrDefault(column => !Columns.Contains(column) && !column.StartsWith(LabelPrefix, StringComparison.Ordinal)) is { } unknown)
                return Failure.Invalid("body", $"line 1: there is no column {unknown}; the columns are {string.Join(", ", Columns)} and {LabelPrefix}NAME");
            if (!header.Contains("id"))
                return Failure.Invalid("body", "line 1: the column id is missing");
            while (await csv.ReadAsync())
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (lines.Count == MaxLines)
                    return new Failure(FailureKind.TooLarge, $"More than {MaxLines} devices; send the file in parts.");
                var (id, line) = (csv.GetField("id"), csv.Parser.RawRow);
                var labels = LabelsOf(csv, header, out var error);
                lines.Add(error is null ? (line, new CreateDevice(id, Field("name"), Field("type"), Field("location"), labels), id, null) : (line, null, id, error));
            }
        }
        catch (Exception exception) when (exception is CsvHelperException or DecoderFallbackException)
        {
            return Failure.Invalid("body", exception is DecoderFallbackException ? "is not UTF-8" : $"line {csv.Parser.RawRow}: is not CSV that can be read (RFC 4180)");
        }
        return lines;

        string? Field(string name) => csv.TryGetField<string>(name, out var value) && !string.IsNullOrEmpty(value) ? value : null;
    }

    private static Dictionary<string, string>? LabelsOf(CsvReader csv, string[] header, out string? error)
    {
        error = null;
        Dictionary<string, string>? labels = null;
        if (csv.TryGetField<string>("labels", out var json) && !string.IsNullOrEmpty(json))
        {
            try
            {
                labels = JsonSerializer.Deserialize<Dictionary<string, string>>(json);
            }
            catch (JsonException)
            {
                error = "labels: a JSON object of texts is expected, such as {\"line\":\"2\"}";
            }
        }
        foreach (var column in header.Where(c => c.StartsWith(LabelPrefix, StringComparison.Ordinal)))
        {
            if (csv.GetField(column) is { Length: > 0 } value)
                (labels ??= [])[column[LabelPrefix.Length..]] = value;
        }
        return labels;
    }
}
