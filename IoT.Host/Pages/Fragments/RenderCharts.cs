using System.Globalization;
using IoT.Host.Pages.Charts;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pages.Fragments;

/// <summary>What <c>_Charts.cshtml</c> shows.</summary>
internal sealed record ChartsView(DeviceCharts Charts, int Hours);

/// <summary>
/// A device's charts, up to 10,000 readings parsed and drawn. They are right until its next reading: of devices that send every ten seconds
/// or more seldom, whoever else looks meanwhile gets what is there.
/// </summary>
internal sealed record RenderCharts(string DeviceId, int Hours) : IRequest<Outcome<Fragment>>, ISeesAcknowledged, ICacheable<Outcome<Fragment>>
{
    public static CacheKind<Outcome<Fragment>> CacheKind { get; } = new("host", "charts", outcome => Fragment.SizeOf(outcome.Value))
    {
        // Their right end moves with the time, also of a device that is silent.
        MemoryTtl = TimeSpan.FromSeconds(30),
        Judge = outcome => outcome.Failure is null ? CacheVerdict.Keep : CacheVerdict.Discard,
    };

    public CacheTag[] CacheTags => [ReadingTags.Latest(DeviceId), ReadingTags.All];

    public string? CacheKey(TimeProvider time) => string.Create(CultureInfo.InvariantCulture, $"{DeviceId}/{Hours}");
}

internal sealed class RenderChartsHandler(IMediator mediator, FragmentRenderer renderer, TimeProvider time) : IRequestHandler<RenderCharts, Outcome<Fragment>>
{
    public async Task<Outcome<Fragment>> Handle(RenderCharts request, CancellationToken cancellationToken)
    {
        var latest = await mediator.Send(new GetLatest(request.DeviceId), cancellationToken);
        if (latest.Failure is { } failure)
            return failure;
        var now = time.GetUtcNow().UtcDateTime;
        var charts = await DeviceCharts.LoadAsync(mediator, request.DeviceId, latest.Value.Items, TimeSpan.FromHours(request.Hours), now, cancellationToken);
        return charts.Failure is { } problem
            ? problem
            : await renderer.RenderAsync("/Devices/Device", "_Charts", new ChartsView(charts.Value, request.Hours), now);
    }
}
