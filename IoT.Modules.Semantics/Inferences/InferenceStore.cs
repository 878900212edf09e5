using Dapper;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Modules.Semantics.Inferences;

/// <summary>An event and its explanation as JSON.</summary>
internal sealed record ExplainedEvent(InferenceEvent Event, string? Because);

/// <summary>Inferences in PostgreSQL.</summary>
internal sealed class InferenceStore(DatabaseAccess database)
{
    private const int RowsPerStatement = 2_000;
    private const string Columns = "id, subject, predicate, object as value, rule, confidence, raised_at, cleared_at, because";

    // What a database keeps of an explanation.
    public const int LongestBecause = 256 * 1024;

    /// <summary>In order; the same again changes nothing.</summary>
    public async Task WriteAsync(IReadOnlyList<ExplainedEvent> events, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var chunk in events.Chunk(RowsPerStatement))
        {
            // A clearing comes after its raising: all of the one, then all of the other is the same.
            var raised = chunk.Where(e => e.Event.IsRaised).ToArray();
            var cleared = chunk.Where(e => !e.Event.IsRaised).ToArray();
            if (raised.Length > 0)
            {
                await connection.ExecuteAsync(new CommandDefinition(
                    """
                    insert into inferences (id, subject, predicate, object, rule, confidence, because, raised_at)
                    select * from unnest(@Ids, @Subjects, @Predicates, @Objects, @Rules, @Confidences, @Becauses, @RaisedAts)
                    on conflict (id) do nothing
                    """,
                    new
                    {
                        Ids = Array.ConvertAll(raised, e => e.Event.Id),
                        Subjects = Array.ConvertAll(raised, e => e.Event.Key.Subject),
                        Predicates = Array.ConvertAll(raised, e => e.Event.Key.Predicate),
                        Objects = Array.ConvertAll(raised, e => e.Event.Key.Object),
                        Rules = Array.ConvertAll(raised, e => e.Event.Rule),
                        Confidences = Array.ConvertAll(raised, e => e.Event.Confidence),
                        Becauses = Array.ConvertAll(raised, e => e.Because),
                        RaisedAts = Array.ConvertAll(raised, e => e.Event.RaisedAt),
                    }, transaction, cancellationToken: cancellationToken));
            }
            if (cleared.Length > 0)
            {
                await connection.ExecuteAsync(new CommandDefinition(
                    "update inferences i set cleared_at = c.at from unnest(@Ids, @Ats) as c (id, at) where i.id = c.id and i.cleared_at is null",
                    new { Ids = Array.ConvertAll(cleared, e => e.Event.Id), Ats = Array.ConvertAll(cleared, e => e.Event.ClearedAt!.Value) },
                    transaction, cancellationToken: cancellationToken));
            }
        }
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Those that hold, without explanations.</summary>
    public async Task<IReadOnlyList<Inference>> ActiveAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<Inference>(new CommandDefinition(
            "select id, subject, predicate, object as value, rule, confidence, raised_at, cleared_at, null::text as because from inferences where cleared_at is null order by raised_at, id",
            commandTimeout: 0, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>One more than the limit, when there are.</summary>
    public async Task<IReadOnlyList<Inference>> ListAsync(string? subject, string? rule, bool? active, InferenceCursor? after, int limit, CancellationToken cancellationToken)
    {
        List<string> conditions = ["true"];
        if (subject is not null)
            conditions.Add("subject = @subject");
        if (rule is not null)
            conditions.Add("rule = @rule");
        if (active is { } isActive)
            conditions.Add(isActive ? "cleared_at is null" : "cleared_at is not null");
        if (after is not null)
            conditions.Add("(raised_at, id) < (@RaisedAt, @Id)");
        // Not the replica: it may not have what was raised before the question.
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<Inference>(new CommandDefinition(
            $"select {Columns} from inferences where {string.Join(" and ", conditions)} order by raised_at desc, id desc limit @Count",
            new { subject, rule, after?.RaisedAt, after?.Id, Count = limit + 1 }, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>The database has missed events: makes it have these, and no others, as active.</summary>
    public async Task ReplaceActiveAsync(IReadOnlyList<InferenceEvent> active, DateTime now, CancellationToken cancellationToken)
    {
        await using (var connection = await database.Write.OpenConnectionAsync(cancellationToken))
        {
            await connection.ExecuteAsync(new CommandDefinition(
                "update inferences set cleared_at = @now where cleared_at is null and not id = any(@Ids)",
                new { now, Ids = active.Select(e => e.Id).ToArray() }, cancellationToken: cancellationToken));
        }
        await WriteAsync([.. active.Select(e => new ExplainedEvent(e, null))], cancellationToken);
    }

    /// <summary>Takes out past ones that are too old or too many, the oldest first; answers how many.</summary>
    public async Task<long> PurgeAsync(DateTime olderThan, int most, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var purged = 0L;
        while (true)
        {
            var gone = await connection.ExecuteAsync(new CommandDefinition(
                """
                delete from inferences where id in (
                    select id from inferences
                    where cleared_at < greatest(@olderThan, (select cleared_at from inferences where cleared_at is not null order by cleared_at desc offset @most limit 1))
                    limit 10000)
                """, new { olderThan, most }, cancellationToken: cancellationToken));
            purged += gone;
            if (gone == 0)
                return purged;
        }
    }
}
