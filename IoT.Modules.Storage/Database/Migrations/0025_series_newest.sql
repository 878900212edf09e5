-- The time of a reading of the series: its newest is no older. "Latest" looks from there on. Written behind the readings, when it makes
-- a difference; null: not yet.
alter table device_series add column newest_at timestamptz;

create or replace function learn_device_series(since timestamptz default '-infinity', until timestamptz default 'infinity') returns void language sql as $$
    insert into device_series as s (device_id, data_type, newest_hour, newest_at)
    select device_id, data_type, date_bin('1 hour', max(timestamp), '2000-01-01 00:00:00+00'), max(timestamp)
    from device_data where timestamp >= $1 and timestamp < $2
    group by device_id, data_type
    order by device_id, data_type collate "C"
    on conflict (device_id, data_type) do update set newest_hour = greatest(s.newest_hour, excluded.newest_hour), newest_at = excluded.newest_at
        where s.newest_at is null and s.newest_hour <= excluded.newest_hour or s.newest_at < excluded.newest_at
$$;
