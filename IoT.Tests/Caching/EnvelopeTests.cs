using IoT.Modules.Caching.Wire;
using Xunit;

namespace IoT.Tests.Caching;

/// <summary>What stands below memory, read by this release and by others.</summary>
public sealed class EnvelopeTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 4, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(10, 0, 1)]
    [InlineData(5_000, 0, 1)]
    [InlineData(5_000, 1_024, 2)]
    [InlineData(10, 1_024, 1)]
    public void A_value_comes_back_compressed_over_the_threshold_as_its_first_byte_says(int length, int threshold, byte format)
    {
        var text = new string('x', length);
        var bytes = Write(text, threshold);
        Assert.Equal(format, bytes[0]);
        Assert.True(format == 1 || bytes.Length < length / 10);
        Assert.True(Envelope.TryRead(Kinds.Redis, bytes, 1, 2, Now, out var value, out var left));
        Assert.Equal(text, value);
        Assert.Equal(TimeSpan.FromMinutes(1), left);
    }

    [Fact]
    public void Another_version_epoch_or_stamp_is_a_miss_and_so_is_what_has_expired()
    {
        var bytes = Write("x", 0);
        Assert.False(Envelope.TryRead(Kinds.RedisNext, bytes, 1, 2, Now, out _, out _));
        Assert.False(Envelope.TryRead(Kinds.Redis, bytes, 2, 2, Now, out _, out _));
        Assert.False(Envelope.TryRead(Kinds.Redis, bytes, 1, 3, Now, out _, out _));
        Assert.False(Envelope.TryRead(Kinds.Redis, bytes, 1, 2, Now.AddMinutes(1), out _, out _));
        Assert.False(Envelope.TryRead(Kinds.Redis, default, 1, 2, Now, out _, out _));
        Assert.True(Envelope.TryRead(Kinds.Redis, bytes, 1, 2, Now, out _, out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(64)]
    public void Damaged_bytes_never_throw(int threshold)
    {
        var text = string.Join(',', Enumerable.Range(0, 200));
        var bytes = Write(text, threshold);
        for (var length = 0; length < bytes.Length; length++)
        {
            // Of gzip, the end is a checksum that may be missing: then the value is whole.
            if (Envelope.TryRead(Kinds.Redis, bytes.AsMemory(0, length), 1, 2, Now, out var value, out _))
                Assert.True(threshold > 0 && value == text, $"{length} of {bytes.Length} bytes");
        }
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            var damaged = (byte[])bytes.Clone();
            for (var n = random.Next(1, 4); n > 0; n--)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            Envelope.TryRead(Kinds.Redis, damaged, 1, 2, Now, out _, out _);
        }
    }

    [Fact]
    public void What_is_too_large_is_not_written() =>
        Assert.Null(Envelope.Write(Kinds.Redis, new string('x', Envelope.MaxLength + 1), 1, 2, Now.AddMinutes(1), 0));

    private static byte[] Write(string text, int threshold) => Envelope.Write(Kinds.Redis, text, 1, 2, Now.AddMinutes(1), threshold)!;
}
