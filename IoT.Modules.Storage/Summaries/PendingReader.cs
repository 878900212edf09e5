using Npgsql;

namespace IoT.Modules.Storage.Summaries;

/// <summary>Takes packed rows out of <c>summary_pending</c> into stats.</summary>
internal static class PendingReader
{
    private const string Take =
        """
        delete from summary_pending where id in (select id from summary_pending order by id limit $1)
        returning id, data_types, metrics, single_device, single_kind, single_at, single_value, device, kind, bucket, count, sum, min, max, first, first_at, last, last_at
        """;

    /// <summary>Answers how many rows it has taken: fewer than <paramref name="most"/> when there are no more.</summary>
    public static async Task<int> TakeAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, int most, StatTable table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Take, connection, transaction) { Parameters = { new NpgsqlParameter<int> { TypedValue = most } }, CommandTimeout = 0 };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = 0;
        while (await reader.ReadAsync(cancellationToken))
        {
            Add(reader, table);
            rows++;
        }
        return rows;
    }

    private static void Add(NpgsqlDataReader row, StatTable table)
    {
        // Rows come in any order; their ids say which was earlier.
        var order = row.GetInt64(0);
        var (dataTypes, metrics) = (row.GetFieldValue<string[]>(1), row.GetFieldValue<string[]>(2));
        var kinds = new int[metrics.Length];
        for (var i = 0; i < kinds.Length; i++)
            kinds[i] = table.KindOf(dataTypes[i], metrics[i]);

        var (devices, ofKind) = (row.GetFieldValue<Guid[]>(3), row.GetFieldValue<int[]>(4));
        var (ats, values) = (row.GetFieldValue<DateTime[]>(5), row.GetFieldValue<double[]>(6));
        for (var i = 0; i < devices.Length; i++)
        {
            var at = ats[i].Ticks;
            table.Add(new StatKey(devices[i], kinds[ofKind[i] - 1], at - at % StatTable.FineTicks), Stat.Of(values[i], at, order));
        }

        (devices, ofKind) = (row.GetFieldValue<Guid[]>(7), row.GetFieldValue<int[]>(8));
        var (buckets, counts, sums) = (row.GetFieldValue<DateTime[]>(9), row.GetFieldValue<long[]>(10), row.GetFieldValue<double[]>(11));
        var (mins, maxs) = (row.GetFieldValue<double[]>(12), row.GetFieldValue<double[]>(13));
        var (firsts, firstAts) = (row.GetFieldValue<double[]>(14), row.GetFieldValue<DateTime[]>(15));
        var (lasts, lastAts) = (row.GetFieldValue<double[]>(16), row.GetFieldValue<DateTime[]>(17));
        for (var i = 0; i < devices.Length; i++)
        {
            table.Add(new StatKey(devices[i], kinds[ofKind[i] - 1], buckets[i].Ticks), new Stat
            {
                Count = counts[i], Sum = sums[i], Min = mins[i], Max = maxs[i],
                First = firsts[i], FirstAt = firstAts[i].Ticks, FirstOrder = order,
                Last = lasts[i], LastAt = lastAts[i].Ticks, LastOrder = order,
            });
        }
    }
}
