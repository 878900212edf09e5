using System.Runtime.ExceptionServices;

namespace IoT.Modules.Semantics.Engine;

/// <summary>Work shared among threads; it is done when the call comes back.</summary>
internal static class Together
{
    /// <summary>Parts are taken one after the other by whoever is free: some are more work than others.</summary>
    public const int PartsPerThread = 8;

    /// <summary>Calls with each number below <paramref name="threads"/>, on as many threads.</summary>
    public static void Run(int threads, Action<int> work)
    {
        if (threads == 1)
        {
            work(0);
            return;
        }
        try
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, work);
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
    }

    /// <summary>Calls with so many ranges that together are the numbers below <paramref name="count"/>: who does it, which it is, from, to.</summary>
    public static void Ranges(int threads, int parts, int count, Action<int, int, int, int> work)
    {
        var next = -1;
        Run(Math.Max(1, Math.Min(threads, parts)), worker =>
        {
            while (Interlocked.Increment(ref next) is var part && part < parts)
                work(worker, part, (int)((long)count * part / parts), (int)((long)count * (part + 1) / parts));
        });
    }

    /// <summary>In a good number of ranges.</summary>
    public static void Ranges(int threads, int count, Action<int, int> work) =>
        Ranges(threads, Parts(threads, count), count, (_, _, from, to) => work(from, to));

    public static int Parts(int threads, int count) => threads == 1 ? 1 : Math.Clamp(count, 1, threads * PartsPerThread);
}
