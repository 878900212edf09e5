using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using IoT.Modules.Gateway.Mqtt.Connections;
using IoT.Modules.Gateway.Mqtt.Packets;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Connections;

public sealed class PacketOutputTests
{
    [Fact]
    public async Task The_end_of_a_flush_is_never_told_on_the_stack_of_who_writes()
    {
        var (told, isWriting, wasOnStack) = (0, false, false);
        var writer = Environment.CurrentManagedThreadId;
        var output = new PacketOutput(new LateWriter(), TimeProvider.System, () =>
        {
            wasOnStack |= isWriting && Environment.CurrentManagedThreadId == writer;
            Interlocked.Increment(ref told);
        });
        using var flush = FlushSet.Rent();
        output.WriteControl(PacketWriter.PingResponse, flush);
        isWriting = true;
        output.Flush();
        isWriting = false;
        await Eventually.TrueAsync(() => Task.FromResult(Volatile.Read(ref told) == 1), "the end of the flush");
        Assert.False(wasOnStack);
    }

    /// <summary>A pipe that is drained just between the question whether it is and the wait for it.</summary>
    private sealed class LateWriter : PipeWriter, IValueTaskSource<FlushResult>
    {
        private readonly byte[] _buffer = new byte[64 * 1024];

        public override void Advance(int bytes)
        {
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer;

        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer;

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => new(this, 0);

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public ValueTaskSourceStatus GetStatus(short token) => ValueTaskSourceStatus.Pending;

        public FlushResult GetResult(short token) => default;

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => continuation(state);
    }
}
