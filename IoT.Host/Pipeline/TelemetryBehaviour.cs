using System.Diagnostics;
using System.Diagnostics.Metrics;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Host.Pipeline;

/// <summary>The source of spans and the histogram of every request through the pipeline.</summary>
internal sealed class RequestTelemetry
{
    public const string Name = "IoT.Requests";

    public RequestTelemetry(IMeterFactory meters) =>
        Duration = meters.Create(Name).CreateHistogram<double>("iot.request.duration", "s", "Duration of a request through the pipeline, by request and outcome");

    public ActivitySource Source { get; } = new(Name);

    public Histogram<double> Duration { get; }
}

/// <summary>A span and a duration for each request. The outcome is ok, the kind of an expected failure, or error.</summary>
internal sealed class TelemetryBehaviour<TRequest, TResponse>(RequestTelemetry telemetry) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : notnull
{
    public async Task<TResponse> Handle(TRequest request, CancellationToken cancellationToken, RequestHandlerDelegate<TResponse> next)
    {
        using var span = telemetry.Source.StartActivity(typeof(TRequest).Name);
        var started = Stopwatch.GetTimestamp();
        var outcome = "error";
        try
        {
            var response = await next();
            outcome = response is IHasFailure { Failure: { } failure } ? failure.Kind.ToString() : "ok";
            return response;
        }
        finally
        {
            span?.SetTag("outcome", outcome);
            telemetry.Duration.Record(
                Stopwatch.GetElapsedTime(started).TotalSeconds,
                new KeyValuePair<string, object?>("request", typeof(TRequest).Name),
                new KeyValuePair<string, object?>("outcome", outcome));
        }
    }
}
