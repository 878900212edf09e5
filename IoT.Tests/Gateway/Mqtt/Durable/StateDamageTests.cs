using IoT.Modules.Gateway.Mqtt.Durable;
using IoT.Tests.Gateway.IngestLog;
using Microsoft.Data.Sqlite;
using Xunit;

namespace IoT.Tests.Gateway.Mqtt.Durable;

/// <summary>A state file that is damaged, missing, full, or of another log: said, and never a reason not to start.</summary>
public sealed class StateDamageTests
{
    [Fact]
    public async Task A_missing_file_is_made_again_from_a_log_that_still_has_everything()
    {
        await using var folder = await WithSessionAsync();
        File.Delete(folder.File);
        Assert.Equal("c", Assert.Single(folder.Open().Sessions).ClientId);
        Assert.Null(folder.State.Loss);
    }

    [Fact]
    public async Task A_file_that_is_missing_behind_a_trimmed_log_is_a_loss_and_what_the_log_has_is_used()
    {
        await using var folder = await WithSessionAsync(trimmed: true);
        File.Delete(folder.File);
        var found = folder.Open();
        Assert.Equal("missing", folder.State.Loss?.Split(' ')[^1]);
        Assert.Equal("late", Assert.Single(found.Sessions).ClientId);
        await folder.CloseAsync();
        Assert.Equal("late", Assert.Single(folder.Open().Sessions).ClientId);
        Assert.Null(folder.State.Loss);
    }

    [Theory]
    [InlineData("header")]
    [InlineData("pages")]
    [InlineData("cut")]
    [InlineData("newer")]
    public async Task A_damaged_file_is_set_aside_and_what_the_log_has_is_used(string damage)
    {
        await using var folder = await WithSessionAsync(trimmed: true);
        var bytes = await File.ReadAllBytesAsync(folder.File, LogTesting.Cancel);
        if (damage == "header")
            bytes.AsSpan(0, 16).Fill(7);
        else if (damage == "pages")
            bytes.AsSpan(4096, bytes.Length - 4096).Fill(0x5A);
        else if (damage == "newer")
            bytes[63] = 9; // user_version
        await File.WriteAllBytesAsync(folder.File, damage == "cut" ? bytes[..(bytes.Length / 2 + 100)] : bytes, LogTesting.Cancel);

        Assert.Equal("late", Assert.Single(folder.Open().Sessions).ClientId);
        Assert.Contains("set aside", folder.State.Loss, StringComparison.Ordinal);
        Assert.Single(Directory.EnumerateFiles(folder.Directory, "*.damaged-*Z"));
        await folder.AppendAsync(new SessionOpened(9, "s", "new", 60, null));
        folder.CatchUp();
        await folder.CloseAsync();
        Assert.Equal(["late", "new"], folder.Open().Sessions.Select(s => s.ClientId));
        Assert.Null(folder.State.Loss);
    }

    [Fact]
    public async Task Files_set_aside_don_t_pile_up()
    {
        await using var folder = await WithSessionAsync();
        for (var i = 0; i < 6; i++)
        {
            await File.WriteAllTextAsync(folder.File, new string('x', 5_000), LogTesting.Cancel);
            folder.Open();
            Assert.NotNull(folder.State.Loss);
            await folder.CloseAsync();
        }
        Assert.Equal(3, Directory.EnumerateFiles(folder.Directory, "*.damaged-*Z").Count());
        folder.Open();
    }

    [Fact]
    public async Task A_flipped_bit_in_a_message_costs_the_message_and_is_said()
    {
        await using var folder = await WithSessionAsync();
        var bytes = await File.ReadAllBytesAsync(folder.File, LogTesting.Cancel);
        bytes[bytes.AsSpan().IndexOf("payload of second"u8)] ^= 1;
        await File.WriteAllBytesAsync(folder.File, bytes, LogTesting.Cancel);
        Assert.Equal(["first", "third"], Assert.Single(folder.Open().Sessions).Queue.Select(d => d.Message.Topic));
        Assert.Contains("1 entries", folder.State.Loss, StringComparison.Ordinal);
    }

    /// <summary>SQLite drops everything behind the damage without a word; the position goes with it, and the log still has what followed.</summary>
    [Fact]
    public async Task A_flipped_bit_in_the_write_ahead_log_costs_nothing()
    {
        await using var folder = new StateFolder();
        folder.Open();
        Assert.True(folder.State.Checkpoint());
        for (var i = 1; i <= 20; i++)
        {
            await folder.AppendAsync(new SessionOpened(i, "s", $"c{i}", 60, null));
            folder.CatchUp();
            folder.Log.TrimTo(folder.State.SafePosition + 1);
        }
        await folder.CrashAsync(new Random(1));
        var wal = await File.ReadAllBytesAsync(folder.File + "-wal", LogTesting.Cancel);
        wal[wal.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(folder.File + "-wal", wal, LogTesting.Cancel);
        Assert.InRange(Sessions(folder.File), 1, 19); // What SQLite makes of it.
        Assert.Equal(20, folder.Open().Sessions.Count);
        Assert.Null(folder.State.Loss);
    }

    [Fact]
    public async Task A_file_that_can_t_grow_is_a_fault_and_the_log_still_says_all()
    {
        await using var folder = new StateFolder { MaxBytes = 128 * 1024 };
        folder.Open();
        await folder.AppendAsync(new SessionOpened(1, "s", "c", 60, null));
        folder.CatchUp();
        for (var i = 1; i <= 20; i++)
            await folder.AppendAsync(new MessageTaken(i, new BrokerMessage("t", new byte[10_000], 1, false), false, [new Delivery(1, 1, false, null)]));
        var position = folder.State.Position;
        var fault = Assert.Throws<SqliteException>(folder.CatchUp);
        Assert.False(StateFault.IsDamage(fault) || StateFault.IsFatal(fault));
        Assert.Equal(position, folder.State.Position);
        await folder.CloseAsync();

        // It can't be written, but what waits is not lost to the broker.
        Assert.Equal(20, Assert.Single(folder.Open().Sessions).Queue.Count);
        Assert.Null(folder.State.Loss);
        Assert.Equal(position, folder.State.Position);
        folder.MaxBytes *= 10;
        await folder.CloseAsync();
        Assert.Equal(20, Assert.Single(folder.Open().Sessions).Queue.Count);
        Assert.Equal(folder.Log.DurableSequence, folder.State.Position);
    }

    [Fact]
    public async Task With_a_new_log_the_state_goes_on()
    {
        await using var folder = await WithSessionAsync(trimmed: true);
        folder.LoseLog();
        Assert.Equal(["c", "late"], folder.Open().Sessions.Select(s => s.ClientId));
        await folder.AppendAsync(new SessionOpened(9, "s", "new", 60, null));
        await folder.CloseAsync();
        Assert.Equal(["c", "late", "new"], folder.Open().Sessions.Select(s => s.ClientId));
    }

    [Fact]
    public async Task A_log_that_was_trimmed_past_the_state_is_a_loss_and_what_it_has_is_used()
    {
        await using var folder = await WithSessionAsync();
        var copy = await File.ReadAllBytesAsync(folder.File, LogTesting.Cancel);
        folder.Open();
        await FillAsync(folder);
        await folder.AppendAsync(new SessionOpened(5, "s", "late", 60, null));
        folder.Log.TrimTo(folder.Log.DurableSequence);
        await Support.Eventually.TrueAsync(() => Task.FromResult(folder.Log.FirstSequence > 10), "a trimmed log", TimeSpan.FromSeconds(10));
        await folder.CloseAsync();
        await File.WriteAllBytesAsync(folder.File, copy, LogTesting.Cancel);
        File.Delete(folder.File + "-wal");
        Assert.Equal(["c", "late"], folder.Open().Sessions.Select(s => s.ClientId));
        Assert.Contains("begins at", folder.State.Loss, StringComparison.Ordinal);
    }

    /// <summary>Closed, with one session that three messages wait for; trimmed, the log knows of a second one only.</summary>
    private static async Task<StateFolder> WithSessionAsync(bool trimmed = false)
    {
        var folder = new StateFolder();
        folder.Open();
        await folder.AppendAsync(new SessionOpened(1, "s", "c", uint.MaxValue, null));
        foreach (var (topic, i) in new[] { "first", "second", "third" }.Select((topic, i) => (topic, i + 1)))
            await folder.AppendAsync(new MessageTaken(i, BrokerStateTests.Message(topic), false, [new Delivery(1, 1, false, null)]));
        if (trimmed)
        {
            await FillAsync(folder);
            await folder.AppendAsync(new SessionOpened(2, "s", "late", uint.MaxValue, null));
        }
        folder.CatchUp();
        Assert.True(folder.State.Checkpoint());
        if (trimmed)
        {
            folder.Log.TrimTo(folder.State.SafePosition);
            await Support.Eventually.TrueAsync(() => Task.FromResult(folder.Log.FirstSequence > 4), "a trimmed log", TimeSpan.FromSeconds(10));
        }
        await folder.CloseAsync();
        return folder;
    }

    private static async Task FillAsync(StateFolder folder)
    {
        for (var i = 0; i < 8; i++)
            await folder.Log.AppendAsync(new byte[7_000]);
    }

    private static long Sessions(string file)
    {
        var copy = file + ".look";
        File.Copy(file, copy);
        File.Copy(file + "-wal", copy + "-wal");
        using var connection = new SqliteConnection($"Data Source={copy};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM session";
        return (long)command.ExecuteScalar()!;
    }
}
