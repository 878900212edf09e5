-- The latest value of each device and member of its payloads: by timestamp, then by arrival (the reading's id). Written behind the
-- readings: what came with an id over latest_value_state.reading_id is not in it yet, and found in device_data.
create table latest_values (
    device_id  uuid not null,
    metric     text collate "C" not null,
    timestamp  timestamptz not null,
    reading_id bigint not null,
    kind       smallint not null,
    value      text not null,
    primary key (device_id, metric)
) with (fillfactor = 60);

create table latest_value_state (
    one        boolean primary key default true check (one),
    reading_id bigint not null
);
insert into latest_value_state (reading_id) values (0);

-- Finds the readings that came last without a look at the others: ids grow as rows are written.
create index device_data_arrival on device_data using brin (id) with (pages_per_range = 32, autosummarize = on);
