-- The quarantine also takes what could not be read as a reading: bytes as they came, where from, and how many there were.
-- rewrites quarantine
alter table quarantine add topic text, add protocol text, add length bigint;
update quarantine set
    length = octet_length(payload),
    payload = convert_to(format('{"timestamp":%s,"data_type":%s,"payload":%s}', to_json(timestamp), to_json(data_type), convert_from(payload, 'UTF8')), 'UTF8');
alter table quarantine alter length set not null;
alter table quarantine drop data_type, drop timestamp;
alter table quarantine rename payload to bytes;
create index quarantine_device on quarantine (device_id, id desc);
