using System.Buffers;
using System.IO.Pipelines;
using IoT.Modules.Storage.Contracts;
using Parquet;
using Parquet.Schema;

namespace IoT.Modules.Storage.Queries;

/// <summary>Readings as Parquet: a row group at a time in memory, of so many rows or so much payload, whichever comes first.</summary>
internal sealed class ParquetOutput : IAsyncDisposable
{
    private const int RowsInGroup = 20_000;
    private const int CharactersInGroup = 8 * 1024 * 1024;

    private static readonly DataField<long> Id = new("id");
    private static readonly DataField<string> DeviceIdField = new("device_id", nullable: false);
    private static readonly DateTimeDataField Timestamp = new("timestamp", DateTimeFormat.DateAndTimeMicros, isAdjustedToUTC: true, isNullable: false);
    private static readonly DataField<string> DataType = new("data_type", nullable: false);
    private static readonly DataField<string> Payload = new("payload", nullable: false);
    private static readonly DataField<string> Status = new("status", nullable: false);
    private static readonly ParquetSchema Schema = new(Id, DeviceIdField, Timestamp, DataType, Payload, Status);

    private readonly PipeWriter _output;
    private readonly Buffer _buffer = new();
    private readonly List<StoredReading> _group = [];
    private ParquetWriter? _writer;
    private int _characters;

    private ParquetOutput(PipeWriter output) => _output = output;

    public static async Task<ParquetOutput> BeginAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        var parquet = new ParquetOutput(output);
        parquet._writer = await ParquetWriter.CreateAsync(Schema, parquet._buffer, new ParquetOptions { CompressionMethod = CompressionMethod.Zstd }, cancellationToken: cancellationToken);
        return parquet;
    }

    public async ValueTask WriteAsync(StoredReading reading, CancellationToken cancellationToken)
    {
        _group.Add(reading);
        _characters += reading.Payload.Length;
        if (_group.Count >= RowsInGroup || _characters >= CharactersInGroup)
            await WriteGroupAsync(cancellationToken);
    }

    /// <summary>The last group and the footer; without it the file is none.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        if (_group.Count > 0)
            await WriteGroupAsync(cancellationToken);
        await _writer!.DisposeAsync();
        _writer = null;
        await SendAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_writer is not null)
            await _writer.DisposeAsync();
        await _buffer.DisposeAsync();
    }

    private async Task WriteGroupAsync(CancellationToken cancellationToken)
    {
        using (var group = _writer!.CreateRowGroup())
        {
            await group.WriteAsync<long>(Id, Column(r => r.Id), cancellationToken: cancellationToken);
            await group.WriteAsync(DeviceIdField, Column(r => r.DeviceId));
            await group.WriteAsync<DateTime>(Timestamp, Column(r => r.Timestamp), cancellationToken: cancellationToken);
            await group.WriteAsync(DataType, Column(r => r.DataType));
            await group.WriteAsync(Payload, Column(r => r.Payload));
            await group.WriteAsync(Status, Column(r => r.Status));
        }
        _group.Clear();
        _characters = 0;
        await SendAsync(cancellationToken);

        T[] Column<T>(Converter<StoredReading, T> value) => [.. _group.ConvertAll(value)];
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        await _output.WriteAsync(_buffer.Written, cancellationToken);
        _buffer.Forget();
    }

    /// <summary>What the writer has written since it was sent last. It may write synchronously, and asks where it is in the file.</summary>
    private sealed class Buffer : Stream
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();
        private long _sent;

        public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => Position;

        public override long Position
        {
            get => _sent + _bytes.WrittenCount;
            set => throw new NotSupportedException();
        }

        public void Forget()
        {
            _sent += _bytes.WrittenCount;
            _bytes.ResetWrittenCount();
        }

        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) => _bytes.Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => _bytes.Write(buffer);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _bytes.Write(buffer.Span);
            return ValueTask.CompletedTask;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
