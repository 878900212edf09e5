using System.Buffers;
using System.Buffers.Binary;
using IoT.Modules.Gateway.IngestLog;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace IoT.Modules.Gateway.Mqtt.Durable;

// What a change says of a session that is not there is passed over: after a loss changes may come whose beginning is gone.
internal sealed partial class StateDatabase
{
    private readonly Statements _statements;

    /// <summary>One transaction: all of it or nothing.</summary>
    /// <param name="changes">In the order of the log; may be none.</param>
    /// <param name="logId">The log's.</param>
    /// <param name="position">Of the log, behind them.</param>
    public void Apply(IReadOnlyList<BrokerChange> changes, Guid logId, long position)
    {
        var (nextSession, nextMessage) = (NextSessionId, NextMessageId);
        InTransaction(() =>
        {
            for (var i = 0; i < changes.Count; i++)
            {
                Apply(changes[i]);
                if (changes[i] is SessionOpened opened)
                    nextSession = Math.Max(nextSession, opened.SessionId + 1);
                else if (changes[i] is MessageTaken taken)
                    nextMessage = Math.Max(nextMessage, taken.MessageId + 1);
            }
            _statements.Run("UPDATE position SET log_id = $1, sequence = $2, next_session_id = $3, next_message_id = $4", logId.ToString(), position, nextSession, nextMessage);
        });
        (LogId, Position, NextSessionId, NextMessageId) = (logId, position, nextSession, nextMessage);
    }

    /// <summary>What is over, ahead of its turn in the log: the position stays, and when its turn comes there is nothing left of it to do.</summary>
    public void Free(IReadOnlyList<BrokerChange> over) => InTransaction(() =>
    {
        for (var i = 0; i < over.Count; i++)
            Apply(over[i]);
    });

    /// <summary>
    /// Removes sessions whose expiry has run out and that leave no will, and messages that have expired but for those of which the
    /// subscriber has said that it has them.
    /// </summary>
    public void Expire(DateTime now) => InTransaction(() =>
    {
        foreach (var session in _statements.Numbers("SELECT id FROM session WHERE closed_at + expiry_seconds * 10000000 <= $1 AND expiry_seconds < 4294967295 AND will IS NULL", now.Ticks))
            End(session);
        RemoveExpired(now);
    });

    /// <summary>As <see cref="Expire"/>, but messages only.</summary>
    public void ExpireMessages(DateTime now) => InTransaction(() => RemoveExpired(now));

    private void RemoveExpired(DateTime now)
    {
        const string expired = "SELECT id FROM message WHERE expires_at <= $1";
        var gone = _statements.Run($"DELETE FROM retained WHERE message_id IN ({expired})", now.Ticks)
            + _statements.Run($"DELETE FROM delivery WHERE received_packet_id IS NULL AND message_id IN ({expired})", now.Ticks);
        if (gone == 0)
            return;
        // What is left of them is counted again.
        _statements.Run("UPDATE message SET refs = (SELECT count(*) FROM delivery WHERE delivery.message_id = message.id) WHERE expires_at <= $1", now.Ticks);
        RemoveUnused();
    }

    private void InTransaction(Action change)
    {
        _statements.Run("BEGIN IMMEDIATE");
        try
        {
            change();
            _statements.Run("COMMIT");
        }
        catch
        {
            // After some errors SQLite has rolled back by itself.
            if (raw.sqlite3_get_autocommit(_connection.Handle) == 0)
                _statements.Run("ROLLBACK");
            throw;
        }
    }

    private void Apply(BrokerChange change)
    {
        switch (change)
        {
            case SessionOpened opened:
                // Of an earlier one of the same client the end may have been lost.
                foreach (var earlier in _statements.Numbers("SELECT id FROM session WHERE scope = $1 AND client_id = $2 AND id <> $3", opened.Scope, opened.ClientId, opened.SessionId))
                    End(earlier);
                _statements.Run("""
                    INSERT INTO session (id, scope, client_id, expiry_seconds, closed_at, will) VALUES ($1, $2, $3, $4, NULL, $5)
                    ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, client_id = excluded.client_id, expiry_seconds = excluded.expiry_seconds, closed_at = NULL, will = excluded.will
                    """, opened.SessionId, opened.Scope, opened.ClientId, opened.ExpirySeconds, Encoded(opened.Will));
                break;
            case SessionClosed closed:
                _statements.Run("UPDATE session SET closed_at = $2, expiry_seconds = $3, will = $4 WHERE id = $1", closed.SessionId, closed.At.Ticks, closed.ExpirySeconds, Encoded(closed.Will));
                _statements.Run("UPDATE delivery SET may_be_sent = $2 WHERE session_id = $1 AND may_be_sent <> $2", closed.SessionId, closed.Sent is null);
                foreach (var sent in closed.Sent ?? [])
                    _statements.Run("UPDATE delivery SET may_be_sent = 1 WHERE session_id = $1 AND message_id = $2", closed.SessionId, sent);
                break;
            case SessionEnded ended:
                End(ended.SessionId);
                break;
            case Subscribed subscribed:
                _statements.Run("""
                    INSERT INTO subscription (session_id, filter, options, subscription_id) SELECT id, $2, $3, $4 FROM session WHERE id = $1
                    ON CONFLICT (session_id, filter) DO UPDATE SET options = excluded.options, subscription_id = excluded.subscription_id
                    """, subscribed.SessionId, subscribed.Filter, subscribed.Options, subscribed.SubscriptionId);
                break;
            case Unsubscribed unsubscribed:
                _statements.Run("DELETE FROM subscription WHERE session_id = $1 AND filter = $2", unsubscribed.SessionId, unsubscribed.Filter);
                break;
            case MessageTaken taken:
                Take(taken);
                break;
            case DeliveryDone done:
                if (_statements.Run("DELETE FROM delivery WHERE session_id = $1 AND message_id = $2", done.SessionId, done.MessageId) > 0)
                    Unuse(done.MessageId);
                break;
            case DeliveryReceived received:
                _statements.Run("UPDATE delivery SET received_packet_id = $3 WHERE session_id = $1 AND message_id = $2", received.SessionId, received.MessageId, received.PacketId);
                break;
            case PacketIdTaken taken:
                _statements.Run("INSERT INTO inbound (session_id, packet_id) SELECT id, $2 FROM session WHERE id = $1 ON CONFLICT DO NOTHING", taken.SessionId, taken.PacketId);
                break;
            case PacketIdReleased released:
                _statements.Run("DELETE FROM inbound WHERE session_id = $1 AND packet_id = $2", released.SessionId, released.PacketId);
                break;
            default:
                throw new ArgumentException($"{change.GetType().Name} has no place in the database.", nameof(change));
        }
    }

    private void Take(MessageTaken taken)
    {
        var (id, message) = (taken.MessageId, taken.Message);
        var uses = 0;
        foreach (var delivery in taken.Deliveries)
        {
            uses += _statements.Run("""
                INSERT INTO delivery (session_id, message_id, qos, is_retain, subscription_ids, packet_id, may_be_sent) SELECT id, $2, $3, $4, $5, $6, 0 FROM session WHERE id = $1
                ON CONFLICT DO NOTHING
                """, delivery.SessionId, id, delivery.Qos, delivery.IsRetain, Encoded(delivery.SubscriptionIds), delivery.PacketId);
        }
        if (taken.SetsRetained)
        {
            foreach (var earlier in _statements.Numbers("DELETE FROM retained WHERE topic = $1 RETURNING message_id", message.Topic))
                Unuse(earlier);
            if (!message.Payload.IsEmpty)
                uses += _statements.Run("INSERT INTO retained (topic, message_id) VALUES ($1, $2)", message.Topic, id);
        }
        if (uses > 0)
            _statements.Run("INSERT INTO message (id, refs, expires_at, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET refs = refs + excluded.refs", id, uses, message.ExpiresAt?.Ticks, Encoded(message));
    }

    private void End(long session)
    {
        if (_statements.Run("UPDATE message SET refs = refs - 1 WHERE id IN (SELECT message_id FROM delivery WHERE session_id = $1)", session) > 0)
        {
            _statements.Run("DELETE FROM delivery WHERE session_id = $1", session);
            RemoveUnused();
        }
        _statements.Run("DELETE FROM subscription WHERE session_id = $1", session);
        _statements.Run("DELETE FROM inbound WHERE session_id = $1", session);
        _statements.Run("DELETE FROM session WHERE id = $1", session);
    }

    private void Unuse(long message)
    {
        _statements.Run("UPDATE message SET refs = refs - 1 WHERE id = $1", message);
        _statements.Run("DELETE FROM message WHERE id = $1 AND refs <= 0", message);
    }

    private void RemoveUnused() => _statements.Run("DELETE FROM message WHERE refs <= 0");

    private static byte[] Encoded(BrokerMessage message) => Sealed(to => MessageFields.Write(message, to));

    private static byte[]? Encoded(BrokerWill? will) => will is null ? null : Sealed(to => MessageFields.WriteWill(will, to));

    private static byte[]? Encoded(IReadOnlyList<uint>? ids) => ids is null ? null : Sealed(to => MessageFields.WriteIds(ids, to));

    /// <summary>SQLite's pages have no checksums: what we put into them has one, at its end.</summary>
    private static byte[] Sealed(Action<FieldWriter> write)
    {
        var target = new ArrayBufferWriter<byte>();
        write(new FieldWriter(target));
        BinaryPrimitives.WriteUInt32LittleEndian(target.GetSpan(sizeof(uint)), RecordCodec.Crc(uint.MaxValue, target.WrittenSpan));
        target.Advance(sizeof(uint));
        return target.WrittenSpan.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are not what was written.</exception>
    private static ReadOnlySpan<byte> Opened(byte[] bytes) =>
        bytes.Length >= sizeof(uint) && RecordCodec.Crc(uint.MaxValue, bytes.AsSpan(..^sizeof(uint))) == BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(^sizeof(uint)..))
            ? bytes.AsSpan(..^sizeof(uint))
            : throw new InvalidDataException("the bytes are damaged");

    /// <summary>Statements by their text, prepared once; their parameters are $1, $2, … in order.</summary>
    private sealed class Statements(SqliteConnection connection) : IDisposable
    {
        private readonly Dictionary<string, SqliteCommand> _prepared = new(StringComparer.Ordinal);

        public int Run(string sql, params ReadOnlySpan<object?> values) => With(sql, values).ExecuteNonQuery();

        public List<long> Numbers(string sql, params ReadOnlySpan<object?> values)
        {
            var found = new List<long>();
            using var reader = With(sql, values).ExecuteReader();
            while (reader.Read())
                found.Add(reader.GetInt64(0));
            return found;
        }

        public void Dispose()
        {
            foreach (var command in _prepared.Values)
                command.Dispose();
        }

        private SqliteCommand With(string sql, ReadOnlySpan<object?> values)
        {
            if (!_prepared.TryGetValue(sql, out var command))
            {
                command = _prepared[sql] = connection.CreateCommand();
                command.CommandText = sql;
                for (var i = 1; i <= values.Length; i++)
                    command.Parameters.Add(new SqliteParameter(FormattableString.Invariant($"${i}"), null));
            }
            for (var i = 0; i < values.Length; i++)
                command.Parameters[i].Value = values[i] ?? DBNull.Value;
            return command;
        }
    }
}
