using System.Runtime.InteropServices;
using IoT.Benchmarks.Cache;
using IoT.Benchmarks.Broker;
using IoT.Benchmarks.Ingest;
using IoT.Benchmarks.Load;
using IoT.Benchmarks.Runner;
using IoT.Benchmarks.Semantics;
using IoT.Benchmarks.Storage;

// Started by the benchmarks themselves, as processes of their own.
if (args is [LoadProcess.Role, ..])
    return await LoadProcess.ServeAsync(args[1..]);
if (args is [LatestServer.Role, ..])
    return await LatestServer.ServeAsync(args[1..]);
if (args is [Crowd.Role, ..])
    return await Crowd.ServeAsync(args[1..]);
if (args is [ReferenceServer.Role, ..])
    return await ReferenceServer.ServeAsync(args[1..]);
if (args is [EngineProcess.Role, ..])
    return EngineProcess.Serve(args[1..]);

var benchmarks = new Dictionary<string, Func<BenchOptions, List<Figure>, CancellationToken, Task>>
{
    [IngestBenchmark.Name] = IngestBenchmark.RunAsync,
    [BrokerBenchmark.Name] = BrokerBenchmark.RunAsync,
    [StorageBenchmark.Name] = StorageBenchmark.RunAsync,
    [CacheBenchmark.Name] = CacheBenchmark.RunAsync,
    [SemanticsBenchmark.Name] = SemanticsBenchmark.RunAsync,
};

if (BenchOptions.Parse(args, benchmarks.Keys, out var options) is { } wrong)
{
    await Console.Error.WriteLineAsync($"bench: {wrong}");
    return 2;
}
if (options.IsHelp)
{
    Console.WriteLine($"{BenchOptions.Usage}{Environment.NewLine}benchmarks: {string.Join(", ", benchmarks.Keys)}");
    return 0;
}
if (options.CheckOnly)
    return 0;

using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
var holds = true;
foreach (var name in options.Names)
{
    var figures = new List<Figure>();
    try
    {
        await benchmarks[name](options, figures, stop.Token);
    }
    catch (Exception) when (stop.IsCancellationRequested)
    {
        await Console.Error.WriteLineAsync($"bench: {name} was interrupted");
        return 130;
    }
    catch (Exception exception)
    {
        // What has been measured by now is still worth seeing.
        await Console.Error.WriteLineAsync($"bench: {name} did not come to its end: {exception}");
        holds = false;
    }
    await Report.WriteAsync(name, figures);
    holds &= figures.All(figure => figure.Holds);
}
return holds ? 0 : 1;

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}
