using Microsoft.Data.Sqlite;

namespace IoT.Modules.Gateway.Mqtt.Durable;

internal sealed partial class StateDatabase
{
    /// <summary>All of it. Rows whose bytes are damaged are left out and counted.</summary>
    public BrokerSnapshot Load(out int damaged)
    {
        damaged = 0;
        var messages = Messages(ref damaged);
        var sessions = Sessions(ref damaged);
        Each("SELECT session_id, filter, options, subscription_id FROM subscription", row =>
        {
            if (sessions.TryGetValue(row.GetInt64(0), out var session))
                session.Subscriptions.Add(new SavedSubscription(row.GetString(1), row.GetByte(2), (uint)row.GetInt64(3)));
        });
        var unreadable = 0;
        Each("SELECT session_id, message_id, qos, is_retain, subscription_ids, packet_id, may_be_sent, received_packet_id FROM delivery ORDER BY session_id, message_id", row =>
        {
            if (!sessions.TryGetValue(row.GetInt64(0), out var session) || !messages.TryGetValue(row.GetInt64(1), out var message))
                return;
            try
            {
                session.Queue.Add(new SavedDelivery(
                    row.GetInt64(1), message, row.GetByte(2), row.GetBoolean(3), row.IsDBNull(4) ? null : Ids(row.GetFieldValue<byte[]>(4)),
                    (ushort)row.GetInt32(5), session.IsOpen || row.GetBoolean(6), row.IsDBNull(7) ? null : (ushort)row.GetInt32(7)));
            }
            catch (InvalidDataException)
            {
                unreadable++;
            }
        });
        damaged += unreadable;
        Each("SELECT session_id, packet_id FROM inbound", row =>
        {
            if (sessions.TryGetValue(row.GetInt64(0), out var session))
                session.InboundPacketIds.Add((ushort)row.GetInt32(1));
        });
        var retained = new List<BrokerMessage>();
        Each("SELECT message_id FROM retained", row =>
        {
            if (messages.TryGetValue(row.GetInt64(0), out var message))
                retained.Add(message);
        });
        return new BrokerSnapshot([.. sessions.Values.Select(session => session.Saved())], retained, NextSessionId, NextMessageId);
    }

    private Dictionary<long, BrokerMessage> Messages(ref int damaged)
    {
        var messages = new Dictionary<long, BrokerMessage>();
        var unreadable = 0;
        Each("SELECT id, body FROM message", row =>
        {
            try
            {
                var reader = new FieldReader(Opened(row.GetFieldValue<byte[]>(1)));
                messages[row.GetInt64(0)] = MessageFields.Read(ref reader);
            }
            catch (InvalidDataException)
            {
                unreadable++;
            }
        });
        damaged += unreadable;
        return messages;
    }

    private Dictionary<long, Loading> Sessions(ref int damaged)
    {
        var sessions = new Dictionary<long, Loading>();
        var unreadable = 0;
        Each("SELECT id, scope, client_id, expiry_seconds, closed_at, will FROM session ORDER BY id", row =>
        {
            BrokerWill? will = null;
            if (!row.IsDBNull(5))
            {
                try
                {
                    var reader = new FieldReader(Opened(row.GetFieldValue<byte[]>(5)));
                    will = MessageFields.ReadWill(ref reader);
                }
                catch (InvalidDataException)
                {
                    unreadable++;
                }
            }
            var id = row.GetInt64(0);
            sessions[id] = new Loading(id, row.GetString(1), row.GetString(2), (uint)row.GetInt64(3), row.IsDBNull(4) ? null : new DateTime(row.GetInt64(4), DateTimeKind.Utc), will);
        });
        damaged += unreadable;
        return sessions;
    }

    private static uint[] Ids(byte[] bytes)
    {
        var reader = new FieldReader(Opened(bytes));
        return MessageFields.ReadIds(ref reader);
    }

    private void Each(string sql, Action<SqliteDataReader> read)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        while (reader.Read())
            read(reader);
    }

    private sealed class Loading(long id, string scope, string clientId, uint expirySeconds, DateTime? closedAt, BrokerWill? will)
    {
        /// <summary>It was when the host ended.</summary>
        public bool IsOpen => closedAt is null;

        public List<SavedSubscription> Subscriptions { get; } = [];
        public List<SavedDelivery> Queue { get; } = [];
        public List<ushort> InboundPacketIds { get; } = [];

        public SavedSession Saved() => new(id, scope, clientId, expirySeconds, closedAt, will, Subscriptions, Queue, InboundPacketIds);
    }
}
