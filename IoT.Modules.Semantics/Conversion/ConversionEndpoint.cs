using IoT.Modules.Semantics.Live;
using IoT.Modules.Storage.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Modules.Semantics.Conversion;

internal static class ConversionEndpoint
{
    private const int MaxLimit = 10_000;

    /// <param name="Received">Values that came with readings since the start.</param>
    /// <param name="Converted">Those of them that a profile maps to property and unit.</param>
    internal sealed record ConversionShape(long Received, long Converted, double Rate, int MappedMembers, IReadOnlyList<UnmappedShape> Unmapped);

    internal sealed record UnmappedShape(string DeviceId, string Member, long Count);

    public static void MapConversion(this IEndpointRouteBuilder api) =>
        api.MapGet("/conversion", (LatestValues latest, Converter converter, int? limit) => Results.Json(
                new ConversionShape(
                    latest.Received, latest.Converted, converter.Rate, converter.Profiles.Count,
                    [.. latest.Unmapped(Math.Clamp(limit ?? 100, 1, MaxLimit)).Select(u => new UnmappedShape(u.DeviceId, u.Member, u.Count))]),
                Json.Options))
            .WithTags("Model").RequireAuthorization(Policies.View)
            .Produces<ConversionShape>()
            .WithSummary("How many values were mapped by profiles since the start, and which members were not, by device");
}
