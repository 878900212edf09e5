-- The message ids that devices have used, so that a reading that is sent again is stored once. One partition follows the other in time;
-- the oldest is dropped whole.
create table message_ids (
    part       int not null,
    device_id  uuid not null,
    message_id text collate "C" not null,
    primary key (device_id, message_id, part)
) partition by list (part);

create table message_id_parts (
    part      int primary key,
    opened_at timestamptz not null
);
