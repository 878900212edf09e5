using System.Text.Json;
using IoT.Modules.Storage.Contracts;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Storage.Devices;

internal static class DeviceEndpoints
{
    public static void MapDevices(this IEndpointRouteBuilder api)
    {
        var devices = api.MapGroup("/devices").WithTags("Devices");

        devices.MapGet("", async (IMediator mediator, string? search, string? type, string? location, string? status, int? limit, string? cursor, CancellationToken stop) =>
                (await mediator.Send(new ListDevices(search, type, location, status, limit, cursor), stop)).ToResult())
            .RequireAuthorization(Policies.View)
            .Produces<Page<Device>>().ProducesProblem(400)
            .WithSummary("Devices by id; search looks in ids and names");

        devices.MapPost("", async (IMediator mediator, HttpRequest request, CancellationToken stop) =>
            {
                var body = await Json.ReadBodyAsync<CreateDevice>(request);
                if (body.Failure is { } failure)
                    return failure.ToResult();
                var created = await mediator.Send(body.Value, stop);
                if (created.Failure is null)
                    request.HttpContext.Response.Headers.Location = $"/api/v1/devices/{Uri.EscapeDataString(created.Value.Id)}";
                return created.ToResult(StatusCodes.Status201Created);
            })
            .RequireAuthorization(Policies.Operate)
            .WithMetadata(new JsonBody(typeof(CreateDevice), "application/json")).Produces<DeviceWithToken>(201).ProducesProblem(400).ProducesProblem(409)
            .WithSummary("Registers a device; the answer holds its token, this once");

        devices.MapGet("/{id}", async (IMediator mediator, string id, CancellationToken stop) => (await mediator.Send(new GetDevice(id), stop)).ToResult())
            .RequireAuthorization(Policies.View)
            .Produces<Device>().ProducesProblem(404)
            .WithSummary("One device");

        devices.MapPatch("/{id}", async (IMediator mediator, HttpRequest request, string id, CancellationToken stop) =>
            {
                var body = await Json.ReadBodyAsync<Dictionary<string, JsonElement>>(request);
                if (body.Failure is { } failure)
                    return failure.ToResult();
                var patch = PatchOf(id, body.Value);
                return patch.Failure is { } invalid ? invalid.ToResult() : (await mediator.Send(patch.Value, stop)).ToResult();
            })
            .RequireAuthorization(Policies.Operate)
            .WithMetadata(new JsonBody(typeof(PatchDeviceBody), "application/json", "application/merge-patch+json")).Produces<Device>().ProducesProblem(400).ProducesProblem(404)
            .WithSummary("Changes what the body names; null takes a value away");

        devices.MapDelete("/{id}", async (IMediator mediator, string id, CancellationToken stop) =>
                await mediator.Send(new DeleteDevice(id), stop) is { Failure: { } failure } ? failure.ToResult() : Results.NoContent())
            .RequireAuthorization(Policies.Operate)
            .Produces(204).ProducesProblem(404)
            .WithSummary("Takes a device and its credential out of the registry; its readings stay");

        devices.MapPost("/{id}/token", async (IMediator mediator, string id, CancellationToken stop) => (await mediator.Send(new RotateToken(id), stop)).ToResult())
            .RequireAuthorization(Policies.Operate)
            .Produces<DeviceWithToken>().ProducesProblem(404)
            .WithSummary("A new token, shown this once; the old one ends");
    }

    /// <summary>The body of a PATCH, for the API's description.</summary>
    internal sealed record PatchDeviceBody(string? Name, string? Type, string? Location, IReadOnlyDictionary<string, string?>? Labels, string? Status);

    // A member that is null takes the value away (RFC 7396), one that is missing leaves it; a record could not tell them apart.
    private static Outcome<PatchDevice> PatchOf(string id, Dictionary<string, JsonElement> body)
    {
        var errors = new Dictionary<string, string[]>();
        string? Text(string field)
        {
            if (!body.TryGetValue(field, out var value))
                return null;
            if (value.ValueKind is JsonValueKind.String)
                return value.GetString();
            if (value.ValueKind is not JsonValueKind.Null)
                errors[field] = ["text or null is expected"];
            return "";
        }

        Dictionary<string, string?> LabelChanges()
        {
            if (!body.TryGetValue("labels", out var value) || value.ValueKind is JsonValueKind.Null)
                return [];
            if (value.ValueKind is JsonValueKind.Object && value.EnumerateObject().All(l => l.Value.ValueKind is JsonValueKind.String or JsonValueKind.Null))
                return value.Deserialize<Dictionary<string, string?>>()!;
            errors["labels"] = ["an object of texts or nulls, or null, is expected"];
            return [];
        }

        var hasNoLabels = body.TryGetValue("labels", out var labels) && labels.ValueKind is JsonValueKind.Null;
        var patch = new PatchDevice(id, Text("name"), Text("type"), Text("location"), hasNoLabels ? new Dictionary<string, string>() : null, Text("status")) { LabelChanges = LabelChanges() };
        return errors.Count == 0 ? patch : new Failure(FailureKind.Invalid, string.Join("; ", errors.Select(e => $"{e.Key}: {e.Value[0]}")), errors);
    }
}
