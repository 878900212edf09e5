using System.Runtime.InteropServices;
using System.Text;
using IoT.Modules.Semantics.Live;
using IoT.Modules.Storage.Contracts;
using MediatR;

namespace IoT.Modules.Semantics.Infer;

/// <summary>What one device's member was over a time: its latest value there and the summary of its numbers.</summary>
internal sealed class RangeValue
{
    private decimal _sum;
    private double _wideSum;
    private bool _isWide;
    private long _numbers;

    public LiveValue Latest { get; private set; }

    public long Ticks { get; private set; } = long.MinValue;

    public long ReadingId { get; private set; }

    /// <summary>Readings that have it.</summary>
    public long Count { get; private set; }

    public LiveValue? Least { get; private set; }

    public LiveValue? Greatest { get; private set; }

    /// <summary>Of its numbers; null without any. Exact, then rounded to 12 digits behind the point.</summary>
    public LiveValue? Average => _numbers == 0 ? null : _isWide ? LiveValue.Of(_wideSum / _numbers) : LiveValue.Of(Math.Round(_sum / _numbers, 12));

    public void Add(LiveValue value, long ticks, long readingId)
    {
        Count++;
        if ((ticks, readingId).CompareTo((Ticks, ReadingId)) > 0)
            (Latest, Ticks, ReadingId) = (value, ticks, readingId);
        if (value.Number is not { } number)
            return;
        _numbers++;
        _wideSum += number;
        if (value.Exact is { } exact && !_isWide)
        {
            try
            {
                _sum += exact;
            }
            catch (OverflowException)
            {
                _isWide = true;
            }
        }
        else
            _isWide = true;
        if (Least is not { } least || number < least.Number)
            Least = value;
        if (Greatest is not { } greatest || number > greatest.Number)
            Greatest = value;
    }
}

/// <summary>The readings of a time, of all devices of the registry.</summary>
internal sealed class RangeReadings(IMediator mediator, Metrics metrics, SemanticsOptions options)
{
    private const int ReadingsAtOnce = 2_000;

    /// <summary>By device and member. Fails as too large over <c>Semantics__MaxRangeReadings</c>.</summary>
    public async Task<Outcome<Dictionary<(string DeviceIri, Metric Metric), RangeValue>>> ReadAsync(DateTime from, DateTime to, CancellationToken cancellationToken)
    {
        var payloads = new PayloadMembers(metrics);
        var members = new List<(Metric Metric, LiveValue Value)>();
        var values = new Dictionary<(string, Metric), RangeValue>();
        var iris = new Dictionary<string, string>(StringComparer.Ordinal);
        var readings = 0;
        StreamPlace? place = null;
        do
        {
            var page = await mediator.Send(new ReadStreamPage(new DeviceFilter(), from, to, null, place, ReadingsAtOnce), cancellationToken);
            if (page.Failure is { } failure)
                return failure;
            readings += page.Value.Items.Count;
            if (readings > options.MaxRangeReadings)
                return new Failure(FailureKind.TooLarge, $"context.time_range holds more than {options.MaxRangeReadings} readings (Semantics__MaxRangeReadings); ask for a shorter one.");
            foreach (var reading in page.Value.Items)
            {
                ref var iri = ref CollectionsMarshal.GetValueRefOrAddDefault(iris, reading.DeviceId, out _);
                iri ??= Naming.Names.OfDevice(reading.DeviceId);
                payloads.Read(Encoding.UTF8.GetBytes(reading.Payload), members);
                foreach (var (metric, value) in members)
                {
                    ref var range = ref CollectionsMarshal.GetValueRefOrAddDefault(values, (iri, metric), out _);
                    (range ??= new RangeValue()).Add(value, reading.Timestamp.Ticks, reading.Id);
                }
            }
            place = page.Value.Next;
        }
        while (place is not null);
        return values;
    }
}
