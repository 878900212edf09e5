-- The key that the readings of a series are found by. A query that is to use the index says both: this, and whose readings it wants, since
-- two series may have the same key. PostgreSQL puts the expression in place of the function.
create function reading_series(device uuid, data_type text) returns bigint language sql immutable parallel safe as $$
    select hashtextextended($2, uuid_hash_extended($1, 0))
$$;

-- For psql and dashboards: readings of a device by its id outside, of one data_type or all. PostgreSQL puts the query in its place.
create function readings_of(device text, since timestamptz default '-infinity', until timestamptz default 'infinity', data_type text default null)
returns setof device_data language sql stable parallel safe as $$
    select r.*
    from devices d
    join device_series s on s.device_id = d.id
    join device_data r on hashtextextended(r.data_type::text, uuid_hash_extended(r.device_id, 0)) = hashtextextended(s.data_type::text, uuid_hash_extended(s.device_id, 0))
        and r.device_id = s.device_id and r.data_type = s.data_type
    where d.external_id = $1 and ($4 is null or s.data_type = $4) and r.timestamp >= $2 and r.timestamp < $3
$$;

-- For readings that came into device_data in another way than through the host. Reads all of that time once.
drop function learn_device_series(uuid);
create function learn_device_series(since timestamptz default '-infinity', until timestamptz default 'infinity') returns void language sql as $$
    insert into device_series as s (device_id, data_type, newest_hour)
    select device_id, data_type, date_bin('1 hour', max(timestamp), '2000-01-01 00:00:00+00')
    from device_data where timestamp >= $1 and timestamp < $2
    group by device_id, data_type
    order by device_id, data_type collate "C"
    on conflict (device_id, data_type) do update set newest_hour = excluded.newest_hour where s.newest_hour < excluded.newest_hour
$$;
