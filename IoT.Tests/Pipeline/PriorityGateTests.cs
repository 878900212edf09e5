using IoT.Host.Pipeline;
using IoT.Modules.Storage.Contracts;
using Xunit;

namespace IoT.Tests.Pipeline;

public sealed class PriorityGateTests
{
    private readonly List<string> _entered = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task High_ones_pass_normal_ones_that_wait_and_each_priority_keeps_its_order()
    {
        var gate = new PriorityGate(1, 10, 100);
        await gate.EnterAsync(RequestPriority.Normal, Cancel);
        Task[] waiting = [EnterAsync(gate, "n1"), EnterAsync(gate, "n2"), EnterAsync(gate, "h1", RequestPriority.High), EnterAsync(gate, "n3"), EnterAsync(gate, "h2", RequestPriority.High)];
        Assert.Equal((3, 2), (gate.Waiting(RequestPriority.Normal), gate.Waiting(RequestPriority.High)));
        gate.Leave();
        await Task.WhenAll(waiting);
        Assert.Equal(["h1", "h2", "n1", "n2", "n3"], _entered);
        Assert.Equal(0, gate.Running);
    }

    [Fact]
    public async Task Normal_ones_are_let_in_now_and_then_however_many_high_ones_come()
    {
        var gate = new PriorityGate(1, 100, 3);
        await gate.EnterAsync(RequestPriority.Normal, Cancel);
        Task[] waiting = [EnterAsync(gate, "n"), EnterAsync(gate, "n"), .. Enumerable.Range(0, 10).Select(_ => EnterAsync(gate, "h", RequestPriority.High))];
        gate.Leave();
        await Task.WhenAll(waiting);
        Assert.Equal("hhhnhhhnhhhh", string.Concat(_entered));
    }

    [Fact]
    public async Task A_full_queue_turns_the_last_away_and_a_high_one_takes_the_place_of_the_last_normal_one()
    {
        var gate = new PriorityGate(1, 2, 100);
        await gate.EnterAsync(RequestPriority.Normal, Cancel);
        var (first, second) = (gate.EnterAsync(RequestPriority.Normal, Cancel).AsTask(), gate.EnterAsync(RequestPriority.Normal, Cancel).AsTask());
        Assert.False(await gate.EnterAsync(RequestPriority.Normal, Cancel));

        var high = gate.EnterAsync(RequestPriority.High, Cancel).AsTask();
        Assert.False(await second);
        var another = gate.EnterAsync(RequestPriority.High, Cancel).AsTask();
        Assert.False(await first);
        Assert.False(await gate.EnterAsync(RequestPriority.High, Cancel));
        gate.Leave();
        Assert.True(await high);
        gate.Leave();
        Assert.True(await another);
    }

    [Fact]
    public async Task Who_gives_up_waiting_leaves_no_gap_and_takes_no_place()
    {
        var gate = new PriorityGate(1, 10, 100);
        await gate.EnterAsync(RequestPriority.Normal, Cancel);
        using var patience = new CancellationTokenSource();
        var gone = gate.EnterAsync(RequestPriority.Normal, patience.Token).AsTask();
        var next = gate.EnterAsync(RequestPriority.Normal, Cancel).AsTask();
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Equal(1, gate.Waiting(RequestPriority.Normal));
        gate.Leave();
        Assert.True(await next);
        gate.Leave();
        Assert.Equal(0, gate.Running);
        Assert.True(await gate.EnterAsync(RequestPriority.Normal, Cancel));
    }

    private async Task EnterAsync(PriorityGate gate, string name, RequestPriority priority = RequestPriority.Normal)
    {
        Assert.True(await gate.EnterAsync(priority, Cancel));
        _entered.Add(name); // One is in at a time.
        gate.Leave();
    }
}
