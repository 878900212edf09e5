using System.Diagnostics.Metrics;
using IoT.Modules.Caching.Contracts;
using IoT.Modules.Gateway;
using IoT.Modules.Storage;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>The gates that limited requests pass.</summary>
internal sealed class RequestGates
{
    private readonly PriorityGate _ingest;
    private readonly PriorityGate _query;
    private readonly Counter<long> _refused;

    public RequestGates(GatewayOptions gateway, StorageOptions storage, IMeterFactory meters)
    {
        _ingest = new PriorityGate(gateway.MaxConcurrentRequests, gateway.MaxConcurrentRequests * 4, gateway.HighPriorityAhead);
        _query = new PriorityGate(storage.MaxConcurrentQueries, storage.MaxConcurrentQueries * 64, gateway.HighPriorityAhead);
        var meter = meters.Create(RequestTelemetry.Name);
        meter.CreateObservableGauge("iot.requests.running", () => All.Select(gate => new Measurement<int>(gate.Gate.Running, NameOf(gate.Name))), "{request}", "Limited requests that run now, by gate");
        meter.CreateObservableGauge(
            "iot.requests.waiting",
            () => All.SelectMany(gate => Enum.GetValues<RequestPriority>().Select(priority => new Measurement<int>(gate.Gate.Waiting(priority), NameOf(gate.Name), PriorityOf(priority)))),
            "{request}", "Requests that wait at a gate now, by gate and priority");
        _refused = meter.CreateCounter<long>("iot.requests.refused", "{request}", "Requests that found a gate's queue full, by gate and priority");
    }

    public PriorityGate this[RequestGate gate] => gate switch
    {
        RequestGate.Ingest => _ingest,
        RequestGate.Query => _query,
        _ => throw new ArgumentOutOfRangeException(nameof(gate), gate, null),
    };

    public void Refused(RequestGate gate, RequestPriority priority) => _refused.Add(1, NameOf(gate), PriorityOf(priority));

    private IEnumerable<(RequestGate Name, PriorityGate Gate)> All => Enum.GetValues<RequestGate>().Select(gate => (gate, this[gate]));

    private static KeyValuePair<string, object?> NameOf(RequestGate gate) => new("gate", gate == RequestGate.Ingest ? "ingest" : "query");

    private static KeyValuePair<string, object?> PriorityOf(RequestPriority priority) => new("priority", priority == RequestPriority.High ? "high" : "normal");
}

/// <summary>How busy queries are: the share of their gate's places that are taken.</summary>
internal sealed class QueryLoad(RequestGates gates, StorageOptions storage) : ICacheLoad
{
    public double Load => (double)gates[RequestGate.Query].Running / storage.MaxConcurrentQueries;
}

/// <summary>Lets only so many requests of a gate run at once; over the gate's queue, they fail as busy.</summary>
internal sealed class LimitBehaviour<TRequest, TResponse>(RequestGates gates) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : ILimited
    where TResponse : IFailable<TResponse>
{
    public async Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        var gate = gates[TRequest.Gate];
        if (!await gate.EnterAsync(request.Priority, cancellationToken))
        {
            gates.Refused(TRequest.Gate, request.Priority);
            return TResponse.Fail(new Failure(FailureKind.Busy, "Too many requests at once; try again in a moment."));
        }
        try
        {
            return await next();
        }
        finally
        {
            gate.Leave();
        }
    }
}
