using System.Buffers;

namespace IoT.Modules.Storage.Contracts;

/// <summary>A form of a device's history that a module above brings: <c>GET /devices/{id}/data</c> streams in it who asks for it.</summary>
public interface IHistoryFormat
{
    /// <summary>As <c>format=</c> calls it.</summary>
    string Name { get; }

    /// <summary>As <c>Accept</c> calls it.</summary>
    string ContentType { get; }

    IHistoryWriter Open(IBufferWriter<byte> output);
}

/// <summary>Writes one answer: its beginning, the readings one after the other, its end.</summary>
public interface IHistoryWriter : IDisposable
{
    void Begin();

    void Write(StoredReading reading);

    /// <param name="cursor">Of what was left out; null: nothing.</param>
    void Finish(string? cursor);
}
