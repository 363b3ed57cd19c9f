-- Tags: an operator's own grouping of devices. A rollout or deployment may be for all devices that have one.
CREATE TABLE device_tags (
    device_key        integer NOT NULL REFERENCES devices (key) ON DELETE CASCADE,
    tag               text NOT NULL,
    PRIMARY KEY (device_key, tag)
);
CREATE INDEX device_tags_tag ON device_tags (tag);
