using IoT.Modules.Semantics.Infer;

namespace IoT.Modules.Semantics.Reasoning;

/// <summary>
/// When what changed last: facts by their subject, sets of rules, the places of things, readings by the hour of their timestamps. For
/// whoever has the turn.
/// </summary>
internal sealed class Versions
{
    /// <summary>A name for all subjects together.</summary>
    public const string Anything = "*";

    // Over it everything counts as changed.
    private const int MostSubjects = 2_000_000;
    private const int MostHours = 200_000;

    private readonly Dictionary<string, long> _subjects = new(StringComparer.Ordinal);
    private readonly Dictionary<long, long> _hours = [];
    private long _now;
    private long _floor;
    private long _places;
    private long _model;

    /// <summary>Of what is no reading: models, rules, registry.</summary>
    public long Model => _model;

    public AnswerSources Of(IReadOnlyCollection<string> read, bool isPlaced, (long From, long To)? over = null) => new(read, _now, isPlaced, over);

    /// <summary>Nothing that was is still so.</summary>
    public void Reset()
    {
        _floor = _model = ++_now;
        _subjects.Clear();
        _hours.Clear();
    }

    public void Changed(KnowledgeChange change, bool isModel)
    {
        if (_subjects.Count > MostSubjects)
            Reset();
        _now++;
        if (change.IsPlacing)
            _places = _now;
        if (isModel)
            _model = _now;
        foreach (var subject in change.Subjects)
            _subjects[subject] = _now;
        _subjects[Anything] = _now;
    }

    /// <summary>Readings with timestamps in these hours came.</summary>
    public void Came(IReadOnlyCollection<long> hours)
    {
        if (hours.Count == 0)
            return;
        if (_hours.Count > MostHours)
            Reset();
        _now++;
        foreach (var hour in hours)
            _hours[hour] = _now;
    }

    /// <summary>Whether what an answer was made of is still so.</summary>
    public bool IsCurrent(AnswerSources sources)
    {
        if (sources.Version < _floor || (sources.IsPlaced && sources.Version < _places))
            return false;
        if (sources.Over is not { } over)
            return sources.Read.All(name => _subjects.GetValueOrDefault(name) <= sources.Version);
        if (sources.Version < _model)
            return false;
        var (first, last) = (over.From / TimeSpan.TicksPerHour, (over.To - 1) / TimeSpan.TicksPerHour);
        if (last - first > _hours.Count)
            return _hours.All(hour => hour.Key < first || hour.Key > last || hour.Value <= sources.Version);
        for (var hour = first; hour <= last; hour++)
        {
            if (_hours.GetValueOrDefault(hour) > sources.Version)
                return false;
        }
        return true;
    }
}
