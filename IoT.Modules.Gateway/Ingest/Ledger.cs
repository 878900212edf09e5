using IoT.Modules.Gateway.IngestLog;
using IoT.Modules.Storage.Contracts;

namespace IoT.Modules.Gateway.Ingest;

/// <summary>What came of a device's readings. Everything received is exactly one of these.</summary>
internal readonly record struct LedgerLine(long Stored, long Duplicate, long Rejected, long Quarantined, long InFlight)
{
    public long Received => Stored + Duplicate + Rejected + Quarantined + InFlight;

    public static LedgerLine operator +(LedgerLine a, LedgerLine b) =>
        new(a.Stored + b.Stored, a.Duplicate + b.Duplicate, a.Rejected + b.Rejected, a.Quarantined + b.Quarantined, a.InFlight + b.InFlight);
}

/// <summary>
/// What came of every device's readings, in memory, under one lock: a reading enters with its append to the log, and is no longer in
/// flight in the same moment as it is stored, a duplicate or quarantined. What lanes have counted in the database is added with their
/// commits; what is only counted here is taken out by the <see cref="LedgerFlusher"/>.
/// </summary>
internal sealed class Ledger
{
    /// <summary>Those who are no device of ours: strangers, and admins who name none.</summary>
    public const string Others = "";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private readonly HashSet<Account> _unflushed = [];
    private bool _isLoaded;
    private long _inFlight;

    private sealed class Account(string deviceId)
    {
        public string DeviceId => deviceId;
        public long Stored, Duplicate, Quarantined, Answered, Rejected, InFlight, UnflushedAnswered, UnflushedRejected;

        public LedgerLine Line => new(Stored, Duplicate + Answered, Rejected, Quarantined, InFlight);
    }

    /// <summary>Whether what the database has is in it.</summary>
    public bool IsLoaded => Volatile.Read(ref _isLoaded);

    /// <summary>Readings and entries of all devices that are in flight; what earlier runs left in the log from <see cref="Load"/> on.</summary>
    public long InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Appends to the log and counts what was taken as in flight, in one.</summary>
    public bool Append(DurableLog log, RecordBatch batch, IReadOnlyList<Reading> readings, IReadOnlyList<QuarantineEntry> quarantine, out IngestTicket ticket)
    {
        lock (_gate)
        {
            if (!log.TryAppend(batch, out ticket))
                return false;
            if (ticket.Count == 0)
                return true; // The log has failed: the ticket says so.
            for (var i = 0; i < readings.Count; i++)
                AccountOf(readings[i].Device.Id).InFlight++;
            foreach (var entry in quarantine)
                AccountOf(entry.DeviceId).InFlight++;
            Volatile.Write(ref _inFlight, _inFlight + readings.Count + quarantine.Count);
            return true;
        }
    }

    /// <summary>A lane's transaction is committed: what it has counted is no longer in flight.</summary>
    public void Committed(IReadOnlyList<LedgerCounts> added)
    {
        lock (_gate)
        {
            var all = 0L;
            foreach (var counts in added)
            {
                // Each reading and entry of the transaction is one of these.
                var count = counts.Stored + counts.Duplicate + counts.Quarantined;
                Take(counts).InFlight -= count;
                all += count;
            }
            Volatile.Write(ref _inFlight, _inFlight - all);
        }
    }

    /// <summary>What a transaction beside the lanes has added; only once the ledger is loaded, or it might be counted twice.</summary>
    public void Add(LedgerCounts added)
    {
        lock (_gate)
            Take(added);
    }

    /// <summary>Duplicates that were answered from memory.</summary>
    public void Answered(IReadOnlyList<Reading> duplicates)
    {
        if (duplicates.Count == 0)
            return;
        lock (_gate)
        {
            foreach (var duplicate in duplicates)
            {
                var account = AccountOf(duplicate.Device.Id);
                account.Answered++;
                account.UnflushedAnswered++;
                _unflushed.Add(account);
            }
        }
    }

    /// <param name="deviceId">The device whose credentials were shown; <see cref="Others"/> for strangers, so that their memory has a bound.</param>
    public void Rejected(string deviceId, int count)
    {
        if (count == 0)
            return;
        lock (_gate)
        {
            var account = AccountOf(deviceId);
            account.Rejected += count;
            account.UnflushedRejected += count;
            _unflushed.Add(account);
        }
    }

    /// <summary>At start: what the database has, and what the log holds beyond the lanes' positions. To be complete before lanes run.</summary>
    public void Load(IEnumerable<LedgerRow> rows, IReadOnlyDictionary<string, long> inFlight)
    {
        lock (_gate)
        {
            foreach (var row in rows)
            {
                var account = Take(row.Counts);
                account.Answered += row.Answered;
                account.Rejected += row.Rejected;
            }
            foreach (var (deviceId, count) in inFlight)
                AccountOf(deviceId).InFlight += count;
            Volatile.Write(ref _inFlight, _inFlight + inFlight.Values.Sum());
            Volatile.Write(ref _isLoaded, true);
        }
    }

    /// <summary>All of it at one instant; null until the database has been read.</summary>
    public (LedgerLine Total, List<(string DeviceId, LedgerLine Line)> Devices)? Snapshot()
    {
        lock (_gate)
        {
            if (!_isLoaded)
                return null;
            var total = default(LedgerLine);
            var devices = new List<(string, LedgerLine)>(_accounts.Count);
            foreach (var account in _accounts.Values)
            {
                total += account.Line;
                if (account.DeviceId.Length > 0)
                    devices.Add((account.DeviceId, account.Line));
            }
            return (total, devices);
        }
    }

    /// <summary>What was counted here since the last time.</summary>
    public List<LedgerDelta> TakeUnflushed()
    {
        lock (_gate)
        {
            var deltas = _unflushed.Select(a => new LedgerDelta(a.DeviceId, a.UnflushedAnswered, a.UnflushedRejected)).ToList();
            foreach (var account in _unflushed)
                (account.UnflushedAnswered, account.UnflushedRejected) = (0, 0);
            _unflushed.Clear();
            return deltas;
        }
    }

    /// <summary>It could not be written.</summary>
    public void PutBack(IEnumerable<LedgerDelta> deltas)
    {
        lock (_gate)
        {
            foreach (var delta in deltas)
            {
                var account = AccountOf(delta.DeviceId);
                account.UnflushedAnswered += delta.Answered;
                account.UnflushedRejected += delta.Rejected;
                _unflushed.Add(account);
            }
        }
    }

    private Account Take(LedgerCounts counts)
    {
        var account = AccountOf(counts.DeviceId);
        account.Stored += counts.Stored;
        account.Duplicate += counts.Duplicate;
        account.Quarantined += counts.Quarantined;
        return account;
    }

    private Account AccountOf(string deviceId)
    {
        ref var account = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_accounts, deviceId, out _);
        return account ??= new Account(deviceId);
    }
}
