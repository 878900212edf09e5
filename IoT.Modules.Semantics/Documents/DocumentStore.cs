using System.IO.Compression;
using System.Security.Cryptography;
using Dapper;
using IoT.Modules.Semantics.Contracts;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Modules.Semantics.Documents;

/// <summary>A document that holds, and its text.</summary>
internal sealed record StoredDocument(DocumentKind Kind, string Name, int Version, byte[] Content);

/// <summary>Documents and their versions in PostgreSQL. Contents are compressed, in parts, so that no statement carries all of a large one.</summary>
internal sealed class DocumentStore(DatabaseAccess database, SemanticsOptions options)
{
    private const int PartBytes = 4 * 1024 * 1024;

    private const string Columns = "v.name, v.version, v.created_at, v.created_by, v.bytes, exists (select 1 from semantic_documents d where d.version_id = v.id) as is_current";

    /// <summary>
    /// Something done to the documents in one transaction, which is committed when it went well. What the engine is given meanwhile it has
    /// before the commit: when that fails, <see cref="CommitFailedException"/> says so.
    /// </summary>
    public async Task<Outcome<T>> ChangeAsync<T>(Func<Transaction, Task<Outcome<T>>> work, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // One change at a time, of whatever host.
        await connection.ExecuteAsync(new CommandDefinition("lock table semantic_documents in share row exclusive mode", transaction: transaction, cancellationToken: cancellationToken));
        var outcome = await work(new Transaction(connection, transaction, options.KeptVersions));
        if (outcome.Failure is not null)
            return outcome;
        try
        {
            // Not to be cancelled: it would not be known whether it was done.
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch (Exception exception)
        {
            throw new CommitFailedException(exception);
        }
        return outcome;
    }

    /// <summary>Changes of documents in one transaction.</summary>
    internal sealed class Transaction(NpgsqlConnection connection, NpgsqlTransaction transaction, int keptVersions)
    {
        /// <summary>The version that holds; null: none.</summary>
        public Task<DocumentVersion?> CurrentAsync(DocumentKind kind, string name, CancellationToken cancellationToken) =>
            connection.QuerySingleOrDefaultAsync<DocumentVersion?>(new CommandDefinition(
                $"select {Columns} from semantic_documents c join semantic_versions v on v.id = c.version_id where c.kind = @Kind and c.name = @name",
                new { Kind = Text(kind), name }, transaction, cancellationToken: cancellationToken));

        /// <summary>A new version that holds from now on; the one that holds when its text is the same.</summary>
        public async Task<DocumentVersion> PutAsync(DocumentKind kind, string name, ReadOnlyMemory<byte> content, string author, CancellationToken cancellationToken)
        {
            var parameters = new { Kind = Text(kind), name, author, Bytes = (long)content.Length, Sha256 = SHA256.HashData(content.Span) };
            var same = await connection.QuerySingleOrDefaultAsync<DocumentVersion?>(new CommandDefinition(
                $"select {Columns} from semantic_documents c join semantic_versions v on v.id = c.version_id where c.kind = @Kind and c.name = @name and v.sha256 = @Sha256 and v.bytes = @Bytes",
                parameters, transaction, cancellationToken: cancellationToken));
            if (same is not null)
                return same;
            var id = await connection.ExecuteScalarAsync<long>(new CommandDefinition(
                """
                insert into semantic_versions (kind, name, version, created_by, bytes, sha256)
                select @Kind, @name, coalesce(max(version), 0) + 1, @author, @Bytes, @Sha256 from semantic_versions where kind = @Kind and name = @name
                returning id
                """, parameters, transaction, cancellationToken: cancellationToken));
            var part = 0;
            foreach (var gzip in Parts(content))
            {
                await connection.ExecuteAsync(new CommandDefinition(
                    "insert into semantic_parts (version_id, part, gzip) values (@id, @part, @gzip)", new { id, part, gzip }, transaction, cancellationToken: cancellationToken));
                part++;
            }
            return await PointAsync(kind, name, id, cancellationToken);
        }

        /// <summary>Makes a version hold that there is; null: there is none.</summary>
        public async Task<DocumentVersion?> PointAsync(DocumentKind kind, string name, int version, CancellationToken cancellationToken)
        {
            var id = await connection.ExecuteScalarAsync<long?>(new CommandDefinition(
                "select id from semantic_versions where kind = @Kind and name = @name and version = @version", new { Kind = Text(kind), name, version }, transaction, cancellationToken: cancellationToken));
            return id is null ? null : await PointAsync(kind, name, id.Value, cancellationToken);
        }

        /// <summary>It no longer holds; its versions stay. False: there is none.</summary>
        public async Task<bool> DeleteAsync(DocumentKind kind, string name, CancellationToken cancellationToken) =>
            await connection.ExecuteAsync(new CommandDefinition(
                "delete from semantic_documents where kind = @Kind and name = @name", new { Kind = Text(kind), name }, transaction, cancellationToken: cancellationToken)) > 0;

        private async Task<DocumentVersion> PointAsync(DocumentKind kind, string name, long id, CancellationToken cancellationToken)
        {
            await connection.ExecuteAsync(new CommandDefinition(
                """
                insert into semantic_documents (kind, name, version_id) values (@Kind, @name, @id)
                on conflict (kind, name) do update set version_id = excluded.version_id;
                delete from semantic_versions v where v.kind = @Kind and v.name = @name and v.id <> @id
                    and v.version <= (select max(version) from semantic_versions where kind = @Kind and name = @name) - @keptVersions
                """, new { Kind = Text(kind), name, id, keptVersions }, transaction, cancellationToken: cancellationToken));
            return await connection.QuerySingleAsync<DocumentVersion>(new CommandDefinition(
                $"select {Columns} from semantic_versions v where v.id = @id", new { id }, transaction, cancellationToken: cancellationToken));
        }
    }

    /// <summary>One version's text, by default that of the one that holds; null: there is none.</summary>
    public async Task<StoredDocument?> ReadAsync(DocumentKind kind, string name, int? version, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        var found = await connection.QuerySingleOrDefaultAsync<(long Id, int Version, long Bytes)?>(new CommandDefinition(
            """
            select v.id, v.version, v.bytes from semantic_versions v
            where v.kind = @Kind and v.name = @name
              and case when @version::int is null then exists (select 1 from semantic_documents d where d.version_id = v.id) else v.version = @version end
            """, new { Kind = Text(kind), name, version }, cancellationToken: cancellationToken));
        return found is { } row ? new StoredDocument(kind, name, row.Version, await ContentAsync(connection, row.Id, row.Bytes, cancellationToken)) : null;
    }

    /// <summary>The documents of a kind that hold, by name.</summary>
    public async Task<IReadOnlyList<DocumentVersion>> ListAsync(DocumentKind kind, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<DocumentVersion>(new CommandDefinition(
            $"select {Columns} from semantic_documents c join semantic_versions v on v.id = c.version_id where c.kind = @Kind order by v.name",
            new { Kind = Text(kind) }, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>A document's versions, newest first; empty: it never was.</summary>
    public async Task<IReadOnlyList<DocumentVersion>> VersionsAsync(DocumentKind kind, string name, CancellationToken cancellationToken)
    {
        await using var connection = await database.Write.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<DocumentVersion>(new CommandDefinition(
            $"select {Columns} from semantic_versions v where v.kind = @Kind and v.name = @name order by v.version desc",
            new { Kind = Text(kind), name }, cancellationToken: cancellationToken))).AsList();
    }

    private static async Task<byte[]> ContentAsync(NpgsqlConnection connection, long id, long bytes, CancellationToken cancellationToken)
    {
        var content = new byte[bytes];
        var at = 0;
        await using var command = new NpgsqlCommand("select gzip from semantic_parts where version_id = $1 order by part", connection) { Parameters = { new NpgsqlParameter<long> { TypedValue = id } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            await using var gzip = new GZipStream(new MemoryStream(reader.GetFieldValue<byte[]>(0)), CompressionMode.Decompress);
            at += await gzip.ReadAtLeastAsync(content.AsMemory(at), content.Length - at, throwOnEndOfStream: false, cancellationToken);
        }
        return content;
    }

    private static IEnumerable<byte[]> Parts(ReadOnlyMemory<byte> content)
    {
        for (var at = 0; at < content.Length; at += PartBytes)
        {
            using var part = new MemoryStream();
            using (var gzip = new GZipStream(part, CompressionLevel.Fastest))
                gzip.Write(content.Span[at..Math.Min(content.Length, at + PartBytes)]);
            yield return part.ToArray();
        }
    }

    private static string Text(DocumentKind kind) => kind == DocumentKind.Model ? "model" : "rules";
}

/// <summary>Whether the documents were changed is not known: what holds in the engine may not be what the database has.</summary>
internal sealed class CommitFailedException(Exception inner) : Exception("Whether the change was written is not known.", inner);
