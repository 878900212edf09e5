-- beside ingest
-- indexes device_data
-- The index of readings with the oldest of a series first: new ones come in at the end of their series, where PostgreSQL leaves full
-- pages behind. Newest first they came in at its beginning, and every page was split in halves. It is read backwards as well.
-- step
create index if not exists device_data_by_series on only device_data (device_id, data_type, timestamp, id);
-- step for each partition of device_data without device_data_by_series
create index concurrently if not exists {partition}_by_series on {partition} (device_id, data_type, timestamp, id);
-- step
do $$
declare part record;
begin
    for part in
        select i.inhrelid::regclass::text as partition, to_regclass('public.' || c.relname || '_by_series') as index
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'device_data'::regclass and not i.inhdetachpending
          and not exists (
              select 1 from pg_inherits p join pg_index x on x.indexrelid = p.inhrelid
              where p.inhparent = 'device_data_by_series'::regclass and x.indrelid = c.oid)
    loop
        execute format('alter index device_data_by_series attach partition %s', part.index);
    end loop;
end $$;
-- step
drop index if exists device_data_series;
