using System.IO.Pipelines;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Packets;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Connections;

public sealed class AckQueueTests
{
    // With the questions to the commit in the wrong order, one falls between them within some thousand rounds.
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_commit_that_completes_while_it_is_looked_at_is_not_taken_for_one_that_has_failed()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var output = new PacketOutput(pipe.Writer, TimeProvider.System, () => { });
        var (failures, rounds) = (0, 0);
        var acks = new AckQueue(output, () => failures++);
        TaskCompletionSource? handedOver = null;
        var isOver = false;
        var completer = new Thread(() =>
        {
            while (!Volatile.Read(ref isOver))
                Interlocked.Exchange(ref handedOver, null)?.SetResult();
        });
        completer.Start();
        using (var flush = FlushSet.Rent())
        {
            var started = TimeProvider.System.GetTimestamp();
            for (var round = 0; failures == 0 && TimeProvider.System.GetElapsedTime(started) < Duration; round++)
            {
                rounds = round;
                var commit = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                Volatile.Write(ref handedOver, commit);
                // So that the queue looks at it now before, now after, and now and then just when it completes.
                Thread.SpinWait(round % 16);
                acks.Add(new PendingAck(commit.Task, PacketType.PubAck, 1), flush);
                while (Volatile.Read(ref handedOver) is not null)
                    Thread.SpinWait(1);
                if (round % 100 == 0 && failures == 0)
                    await acks.WaitForFewerAsync(1);
            }
        }
        Volatile.Write(ref isOver, true);
        completer.Join();
        Assert.True(failures == 0, $"failed in round {rounds}");
    }
}
