using IoT.Modules.Gateway.IngestLog;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>
/// Trims the ingest log behind all that read it: the lanes, which store readings, and the broker's state. While the broker's can't be
/// written it keeps the log back up to half of its budget only: from there on readings go first, and what the state lacks is lost to it.
/// </summary>
internal sealed class LogTrim(Func<DurableLog> currentLog)
{
    private const int PercentForBroker = 50;

    private readonly Lock _gate = new();
    private long _lanes;
    private long _broker;
    private bool _brokerFails;
    private int _holds;

    /// <summary>Every lane has stored its part up to this sequence number.</summary>
    public void Lanes(long upTo)
    {
        lock (_gate)
        {
            _lanes = upTo;
            Trim();
        }
    }

    /// <summary>The broker's state holds everything up to this sequence number, safely; <see cref="long.MaxValue"/>: it needs the log no longer.</summary>
    public void Broker(long upTo, bool fails = false)
    {
        lock (_gate)
        {
            (_broker, _brokerFails) = (upTo, fails);
            Trim();
        }
    }

    /// <summary>Nothing is trimmed until it is disposed: for a backup, whose parts are copied one after another.</summary>
    public IDisposable Hold()
    {
        lock (_gate)
            _holds++;
        return new Held(this);
    }

    private void Release()
    {
        lock (_gate)
        {
            _holds--;
            Trim();
        }
    }

    private void Trim()
    {
        if (_holds > 0)
            return;
        var log = currentLog();
        var givesUpBroker = _brokerFails && log.SizeBytes * 100 >= log.BudgetBytes * PercentForBroker;
        log.TrimTo((givesUpBroker ? _lanes : Math.Min(_lanes, _broker)) + 1);
    }

    private sealed class Held(LogTrim trim) : IDisposable
    {
        private LogTrim? _trim = trim;

        public void Dispose() => Interlocked.Exchange(ref _trim, null)?.Release();
    }
}
