using Dapper;
using IoT.Modules.Storage.Contracts;
using Npgsql;

namespace IoT.Modules.Storage.Partitions;

/// <summary>A partition as PostgreSQL's catalog has it.</summary>
internal sealed record TimePartition(string Name, DateTime RangeFrom, DateTime RangeTo, long Rows, long Bytes, bool IsDetaching, bool IsOnDemand)
{
    public TimeRange Range => new(RangeFrom, RangeTo);

    public PartitionInfo ToInfo(DateTime now) => new(
        Name, RangeFrom, RangeTo, Rows, Bytes,
        IsDetaching ? "detaching" : RangeTo <= now ? "past" : RangeFrom > now ? "ahead" : "current");
}

internal static class PartitionCatalog
{
    /// <summary>The comment of a partition that was made because readings came for it.</summary>
    public const string OnDemandComment = "made on demand";

    // The bounds are text in the session's time zone, with their offset: read back they are the same moments in any.
    private const string List =
        $$"""
          select p.name, (bounds[1])::timestamptz as range_from, (bounds[2])::timestamptz as range_to, p.rows, coalesce(pg_total_relation_size(p.oid), 0) as bytes, p.is_detaching, p.is_on_demand
          from (
              select c.oid, c.relname::text as name, i.inhdetachpending as is_detaching,
                  greatest(c.reltuples::bigint, s.n_live_tup, 0) as rows,
                  coalesce(obj_description(c.oid, 'pg_class') = '{{OnDemandComment}}', false) as is_on_demand,
                  regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)') as bounds
              from pg_inherits i
              join pg_class c on c.oid = i.inhrelid
              left join pg_stat_user_tables s on s.relid = c.oid
              where i.inhparent = ('public.' || @table)::regclass) p
          where bounds is not null
          order by range_from
          """;

    /// <summary>Oldest first.</summary>
    public static async Task<List<TimePartition>> ListAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string table, CancellationToken cancellationToken) =>
        (await connection.QueryAsync<TimePartition>(new CommandDefinition(List, new { table }, transaction, cancellationToken: cancellationToken))).AsList();

    public static string Text(DateTime utc) => FormattableString.Invariant($"{utc:yyyy-MM-dd HH:mm:ss}+00");
}
