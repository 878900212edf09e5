using System.Globalization;
using System.Text;
using IoT.Tests.Support;
using Xunit;

namespace IoT.Tests.Storage.Readings;

/// <summary>Batches that are large enough go into the database another way than small ones.</summary>
public sealed class LargeBatchTests(SharedPlatform platform)
{
    private const int Count = 2_000;
    private const int LongText = 300_000;
    private const string LongName = "übermäßig-漢字-🌡";

    [Fact]
    public async Task Readings_of_a_large_batch_are_stored_as_they_came_and_in_their_order()
    {
        var device = await platform.NewDeviceAsync();
        var first = new DateTime(TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1).Ticks / 10 * 10, DateTimeKind.Utc);
        var body = new StringBuilder();
        for (var i = 0; i < Count; i++)
        {
            // One larger than a piece of what is sent to the database at once.
            var text = new string('x', i == 777 ? LongText : i % 100);
            body.Append(CultureInfo.InvariantCulture, $$$"""{"timestamp":"{{{first.AddMicroseconds(i):yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}}}","data_type":"{{{(i % 3 == 0 ? LongName : "t")}}}","payload":{"i":{{{i}}},"text":"{{{text}}}"}}""").Append('\n');
        }
        Assert.Equal(Count, (await platform.As(device.Token).PostReadingAsync(body.ToString(), "application/x-ndjson")).Accepted);
        Assert.Equal(Count, await platform.StoredAsync(device.Id));
        Assert.Equal(Count, await platform.ScalarAsync<long>(
            """
            select count(*) from (
                select r.*, row_number() over (order by r.id) - 1 as place
                from device_data r join devices d on d.id = r.device_id where d.external_id = $1
            ) r
            where (payload ->> 'i')::int = place and status = 'active' and timestamp = $2 + place * interval '1 microsecond'
                and data_type = case when place % 3 = 0 then $3 else 't' end
                and payload ->> 'text' = repeat('x', (case when place = 777 then $4 else place % 100 end)::int)
            """, device.Id, first, LongName, LongText));
    }
}
