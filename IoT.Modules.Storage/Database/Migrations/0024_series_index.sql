-- beside ingest
-- indexes device_data
-- Eight bytes for a series instead of its device and data_type, and oldest first: an entry is half as long, and PostgreSQL fills the pages
-- of a series that grows at its end. Rarely are two readings of a series of the same time; put together, they would end that.
-- And a small one of the times, for SQL that asks for a time and not for series.
-- step
create index if not exists device_data_by_series on only device_data ((hashtextextended(data_type::text, uuid_hash_extended(device_id, 0))), timestamp) with (fillfactor = 100, deduplicate_items = off);
-- step for each partition of device_data without device_data_by_series
create index concurrently if not exists {partition}_by_series on {partition} ((hashtextextended(data_type::text, uuid_hash_extended(device_id, 0))), timestamp) with (fillfactor = 100, deduplicate_items = off);
-- step
create index if not exists device_data_time on only device_data using brin (timestamp) with (pages_per_range = 32, autosummarize = on);
-- step for each partition of device_data without device_data_time
create index concurrently if not exists {partition}_time on {partition} using brin (timestamp) with (pages_per_range = 32, autosummarize = on);
-- step
do $$
declare
    part text;
    kind text;
begin
    for part, kind in
        select c.relname, k from pg_inherits i join pg_class c on c.oid = i.inhrelid cross join unnest(array['by_series', 'time']) k
        where i.inhparent = 'device_data'::regclass and to_regclass('public.' || c.relname || '_' || k) is not null
    loop
        execute format('alter index %I attach partition %I', 'device_data_' || kind, part || '_' || kind);
    end loop;
end $$;
-- step
do $$
begin
    if not (select indisvalid from pg_index where indexrelid = 'device_data_by_series'::regclass) then
        raise exception 'a partition of device_data is without device_data_by_series: the index that it replaces stays';
    end if;
    -- Readings wait while this waits for a query.
    perform set_config('lock_timeout', '300ms', true);
    drop index if exists device_data_series;
end $$;
