using IoT.Modules.Gateway.Mqtt.Delivery;
using IoT.Modules.Gateway.Mqtt.Durable;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Durable;

/// <summary>Changes of the broker's state while the ingest log has no room.</summary>
public sealed class BrokerJournalWriterTests
{
    private static readonly SessionClosed Closed = new(1, default, 5, null);
    private static readonly SessionOpened Opened = new(1, "key:k", "c", 300, null);

    private readonly BrokerParts.MemoryJournal _journal = new();

    [Fact]
    public async Task What_was_posted_before_goes_before_though_the_log_has_room_again()
    {
        var writer = new BrokerJournalWriter(_journal);
        _journal.Fill();
        writer.Post(Closed);
        var opened = writer.Append(Opened);
        writer.PostLate();
        _journal.Empty();
        Assert.False(opened.IsCompleted);
        Assert.Empty(_journal.Changes);

        writer.PostLate();
        await opened;
        Assert.Equal<BrokerChange>([Closed, Opened], _journal.Changes);
        Assert.True(writer.Append(Closed).IsCompleted);
    }

    [Fact]
    public void Deliveries_beyond_what_is_kept_in_mind_are_given_up_and_nothing_of_sessions()
    {
        const int kept = 100_000;
        var writer = new BrokerJournalWriter(_journal);
        _journal.Fill();
        writer.Post(Closed);
        for (var n = 1; n <= kept + 10; n++)
            writer.Post(new DeliveryDone(1, n));
        var ended = new SessionEnded(1);
        writer.Post(ended);
        _journal.Empty();
        writer.PostLate();
        Assert.Equal(kept + 1, _journal.Changes.Count);
        Assert.Equal((Closed, ended), (_journal.Changes[0], _journal.Changes[^1]));
    }
}
