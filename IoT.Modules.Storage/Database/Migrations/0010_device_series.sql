-- Which data_types a device has, and the hour (UTC) of the newest reading of each: that hour holds it. Written with the first reading of
-- a series in an hour, so that the latest of all devices is a look-up and a descent for each, in one partition.
create table device_series (
    device_id   uuid not null,
    data_type   varchar(50) not null,
    newest_hour timestamptz not null,
    primary key (device_id, data_type)
) with (fillfactor = 70);

-- For readings that came into device_data in another way than through the host.
create function learn_device_series(device uuid) returns void language sql as $$
    insert into device_series as s (device_id, data_type, newest_hour)
    with recursive types as (
        (select data_type from device_data where device_id = device order by data_type limit 1)
        union all
        select (select d.data_type from device_data d where d.device_id = device and d.data_type > types.data_type order by d.data_type limit 1)
        from types where types.data_type is not null
    )
    select device, types.data_type, date_bin('1 hour', newest.timestamp, '2000-01-01 00:00:00+00')
    from types
    cross join lateral (select timestamp from device_data where device_id = device and data_type = types.data_type order by timestamp desc, id desc limit 1) newest
    on conflict (device_id, data_type) do update set newest_hour = greatest(s.newest_hour, excluded.newest_hour)
$$;

-- reads devices
select learn_device_series(id) from devices;
