using Dapper;
using IoT.Modules.Storage.Contracts;
using IoT.Modules.Storage.Database;
using MediatR;

namespace IoT.Modules.Storage.Devices;

internal sealed class ListDevicesHandler(PostgresPools database, DeviceDirectory directory) : IRequestHandler<ListDevices, Outcome<Page<Device>>>
{
    private const int DefaultLimit = 100;

    public async Task<Outcome<Page<Device>>> Handle(ListDevices request, CancellationToken cancellationToken)
    {
        var limit = request.Limit ?? DefaultLimit;
        await using var connection = await database.ReadOnPrimary.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<DeviceRow>(new CommandDefinition(
            $"""
             select {DeviceRow.Columns}
             from devices
             where (@Cursor::text is null or external_id > @Cursor)
               and (@Pattern::text is null or external_id ilike @Pattern or name ilike @Pattern)
               and (@Type::text is null or type = @Type)
               and (@Location::text is null or location = @Location)
               and (@Status::text is null or status = @Status)
             order by external_id
             limit @Count
             """,
            new { request.Cursor, Pattern = PatternOf(request.Search), request.Type, request.Location, request.Status, Count = limit + 1 },
            cancellationToken: cancellationToken))).AsList();
        var items = rows.Take(limit).Select(row => row.ToDevice(directory)).ToList();
        return new Page<Device>(items, rows.Count > limit ? items[^1].Id : null);
    }

    private static string? PatternOf(string? search) =>
        string.IsNullOrEmpty(search)
            ? null
            : $"%{search.Replace("\0", "", StringComparison.Ordinal).Replace(@"\", @"\\", StringComparison.Ordinal).Replace("%", @"\%", StringComparison.Ordinal).Replace("_", @"\_", StringComparison.Ordinal)}%";
}
