using IoT.Modules.Caching.Contracts;
using MediatR;

namespace IoT.Host.Pages.Fragments;

/// <summary>The overview's changing part, which every open overview asks for every two seconds: made once a second at most, however many there are.</summary>
internal sealed record RenderOverview : IRequest<Fragment>, ICacheable<Fragment>
{
    public static CacheKind<Fragment> CacheKind { get; } = new("host", "overview", Fragment.SizeOf) { MemoryTtl = TimeSpan.FromSeconds(1) };

    // It shows the rate and the components' states of a moment: nothing tells when they change.
    public CacheTag[] CacheTags => [];

    public string? CacheKey(TimeProvider time) => "";
}

internal sealed class RenderOverviewHandler(OverviewSource source, FragmentRenderer renderer) : IRequestHandler<RenderOverview, Fragment>
{
    public async Task<Fragment> Handle(RenderOverview request, CancellationToken cancellationToken)
    {
        var overview = await source.GatherAsync(cancellationToken);
        return await renderer.RenderAsync("/Index", "_Overview", overview, overview.Now);
    }
}
