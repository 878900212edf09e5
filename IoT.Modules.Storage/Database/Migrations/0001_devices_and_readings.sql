-- Device ids are text outside (external_id) and UUID inside (id, version 5 of external_id): device_data.device_id is devices.id.
create table devices (
    id           uuid primary key,
    external_id  text collate "C" not null unique,
    name         text,
    type         text,
    location     text,
    labels       jsonb not null default '{}',
    status       text not null default 'active' check (status in ('active', 'disabled')),
    token_hash   bytea unique,
    created_at   timestamptz not null default now(),
    last_seen_at timestamptz
);

create table device_data (
    id         bigserial not null,
    device_id  uuid not null,
    timestamp  timestamptz not null,
    data_type  varchar(50) not null,
    payload    jsonb not null,
    status     varchar(20) not null default 'active'
) partition by range (timestamp);

-- One index serves history, history of one data_type and the latest of each data_type (read by skipping from type to type).
create index device_data_series on device_data (device_id, data_type, timestamp desc, id desc);

create table people (
    name          text collate "C" primary key,
    role          text not null check (role in ('admin', 'operator', 'viewer')),
    password_hash text not null,
    created_at    timestamptz not null default now()
);

create table api_keys (
    name       text collate "C" primary key,
    role       text not null check (role in ('admin', 'operator', 'viewer')),
    key_hash   bytea not null unique,
    created_at timestamptz not null default now()
);
