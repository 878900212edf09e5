-- beside ingest
-- indexes device_data
-- Finds the readings that came last without a look at the others: ids grow as rows are written.
-- step
create index if not exists device_data_arrival on only device_data using brin (id) with (pages_per_range = 32, autosummarize = on);
-- step for each partition of device_data without device_data_arrival
create index concurrently if not exists {partition}_arrival on {partition} using brin (id) with (pages_per_range = 32, autosummarize = on);
-- step
do $$
declare
    name text;
begin
    for name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'device_data'::regclass and to_regclass('public.' || c.relname || '_arrival') is not null
    loop
        execute format('alter index device_data_arrival attach partition %I', name || '_arrival');
    end loop;
end $$;
