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
