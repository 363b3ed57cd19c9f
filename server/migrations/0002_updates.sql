-- Updates over the air: releases (signed bundles), deployments (one release to one device), rollouts (a release to many
-- devices, wave by wave), and what the device-facing API (hawkBit DDI) needs to know of devices and tenants.
--
-- Ids of releases, deployments and rollouts are numbers because hawkBit's are: a device sees a release's as that of a
-- software module and a deployment's as that of an action.

-- SHA-256 of the token that speaks for all devices of a tenant; of a device's own. The tokens are shown once, not kept.
ALTER TABLE organisations ADD COLUMN gateway_token_hash bytea;
-- attributes: what the device says of itself (configData); null until it has. auto_confirm: whether a deployment needs
-- no consent at the device; auto_confirm_by: {initiator, remark, at} of the last change.
ALTER TABLE devices
    ADD COLUMN target_token_hash bytea,
    ADD COLUMN attributes        jsonb,
    ADD COLUMN polled_at         timestamptz,
    ADD COLUMN auto_confirm      boolean NOT NULL DEFAULT true,
    ADD COLUMN auto_confirm_by   jsonb;

CREATE TABLE releases (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id   integer NOT NULL REFERENCES organisations (id),
    compatible        text NOT NULL,
    version           text NOT NULL,
    build             text,
    description       text,
    format            text NOT NULL,
    signer            text NOT NULL,
    -- [{"name", "filename", "sha256", "size_bytes", "artifact"}]
    images            jsonb NOT NULL,
    size_bytes        bigint NOT NULL,
    sha256            text NOT NULL,
    sha1              text NOT NULL,
    md5               text NOT NULL,
    -- Of the bundle in the storage.
    key               uuid NOT NULL UNIQUE,
    created_at        timestamptz NOT NULL DEFAULT now(),
    -- A version names one content.
    UNIQUE (organisation_id, compatible, version),
    UNIQUE (organisation_id, sha256)
);

CREATE TABLE rollouts (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id   integer NOT NULL REFERENCES organisations (id),
    name              text NOT NULL,
    release_id        bigint NOT NULL REFERENCES releases (id),
    state             text NOT NULL
                      CHECK (state IN ('scheduled', 'running', 'paused', 'halted', 'finished', 'cancelled')),
    -- Why it is in this state, where that is not plain.
    reason            text,
    max_in_flight     integer NOT NULL CHECK (max_in_flight > 0),
    starts_at         timestamptz,
    -- Minutes of the day in UTC between which deployments are offered; over midnight where the end is the smaller.
    window_from       smallint CHECK (window_from BETWEEN 0 AND 1439),
    window_to         smallint CHECK (window_to BETWEEN 0 AND 1439),
    -- As it was asked for; which devices these were is in deployments.
    target            jsonb NOT NULL,
    from_versions     text[],
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((window_from IS NULL) = (window_to IS NULL))
);
CREATE INDEX rollouts_organisation ON rollouts (organisation_id, id DESC);

CREATE TABLE rollout_waves (
    rollout_id        bigint NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    number            integer NOT NULL,
    size              integer NOT NULL,
    success_threshold_percent smallint NOT NULL CHECK (success_threshold_percent BETWEEN 0 AND 100),
    error_threshold_percent   smallint NOT NULL CHECK (error_threshold_percent BETWEEN 1 AND 100),
    started_at        timestamptz,
    -- Failures that an operator has looked at and resumed after: they no longer count.
    accepted_failures integer NOT NULL DEFAULT 0,
    PRIMARY KEY (rollout_id, number)
);

-- The log of a rollout's states.
CREATE TABLE rollout_events (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rollout_id        bigint NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    at                timestamptz NOT NULL DEFAULT clock_timestamp(),
    event             text NOT NULL
);
CREATE INDEX rollout_events_rollout ON rollout_events (rollout_id, id);

CREATE TABLE deployments (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id   integer NOT NULL REFERENCES organisations (id),
    device_key        integer NOT NULL REFERENCES devices (key) ON DELETE CASCADE,
    release_id        bigint NOT NULL REFERENCES releases (id),
    rollout_id        bigint REFERENCES rollouts (id),
    wave              integer,
    state             text NOT NULL CHECK (state IN ('scheduled', 'offered', 'downloading', 'installing', 'rebooting',
                      'succeeded', 'failed', 'rolled_back', 'cancelled')),
    -- The operator wants it cancelled; it is once the device agrees.
    cancel_requested  boolean NOT NULL DEFAULT false,
    -- The device's user has consented, or none has to.
    confirmed         boolean NOT NULL DEFAULT true,
    from_version      text,
    -- The newest thing the device said.
    detail            text,
    progress_percent  smallint,
    -- How often it was offered: an offer that no device takes lapses, and others go first.
    offers            integer NOT NULL DEFAULT 0,
    offered_at        timestamptz,
    -- When the device first looked at what is offered.
    fetched_at        timestamptz,
    finished_at       timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (rollout_id, wave) REFERENCES rollout_waves (rollout_id, number),
    CHECK ((rollout_id IS NULL) = (wave IS NULL))
);
CREATE INDEX deployments_device ON deployments (device_key, id DESC);
CREATE INDEX deployments_rollout ON deployments (rollout_id, wave, state);
CREATE INDEX deployments_release ON deployments (release_id);
-- A device is at one update at a time.
CREATE UNIQUE INDEX deployments_in_flight ON deployments (device_key)
    WHERE state IN ('offered', 'downloading', 'installing', 'rebooting');

-- Everything that happened to a deployment: its own changes of state, and each thing the device said.
CREATE TABLE deployment_events (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment_id     bigint NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    at                timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The state after it.
    state             text NOT NULL,
    -- Who says so: 'server', or 'device' with its execution status (DDI).
    source            text NOT NULL CHECK (source IN ('server', 'device')),
    execution         text,
    details           text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX deployment_events_deployment ON deployment_events (deployment_id, id);
