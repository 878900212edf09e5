-- How far each lane of an ingest log has been stored: moved in the transaction that stores the readings, so that each is stored once.
create table ingest_checkpoint (
    log_id   uuid not null,
    lane     int not null,
    position bigint not null,
    primary key (log_id, lane)
) with (fillfactor = 50);

-- What was acknowledged and can't be stored, with why.
create table quarantine (
    id          bigserial primary key,
    device_id   text collate "C" not null,
    received_at timestamptz not null,
    reason      text not null,
    data_type   text not null,
    timestamp   timestamptz not null,
    payload     bytea not null
);
