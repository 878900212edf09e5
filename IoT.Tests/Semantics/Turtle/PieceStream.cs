namespace IoT.Tests.Semantics.Turtle;

/// <summary>Gives at most so many bytes at a time.</summary>
internal sealed class PieceStream(byte[] content, int size) : MemoryStream(content)
{
    public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(size, buffer.Length)]);
}
