-- The tables a reader of Lamassu needs, with the columns and types of server 10.0.3.
-- Written by us from the facts in docs (names and types), not copied from Lamassu's source.
-- fixed_fee is left out: it came with 10.1/10.2 and the tests need both shapes.

CREATE TYPE status_stage AS ENUM (
    'notSeen', 'published', 'authorized', 'instant', 'confirmed', 'rejected',
    'insufficientFunds'
);
CREATE TYPE discount_source AS ENUM ('individualDiscount', 'promoCode');

CREATE TABLE customers (
    id uuid PRIMARY KEY,
    phone text,
    name text,
    is_test_customer boolean NOT NULL DEFAULT false,
    created timestamptz NOT NULL DEFAULT now()
);
-- Lamassu's own "anonymous" customer, the default of every sale.
INSERT INTO customers (id) VALUES ('47ac1184-8102-11e7-9079-8f13a7117867');

CREATE TABLE devices (
    device_id text PRIMARY KEY,
    name text NOT NULL,  -- not unique
    paired boolean NOT NULL DEFAULT true,
    display boolean NOT NULL DEFAULT true,
    created timestamptz NOT NULL DEFAULT now(),
    last_online timestamptz NOT NULL DEFAULT now(),
    model text,
    version text,
    location json
);

CREATE TABLE unpaired_devices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    device_id text NOT NULL,  -- the same machine can be unpaired more than once
    name text,
    model text,
    paired timestamp NOT NULL,  -- without time zone, as in Lamassu
    unpaired timestamp NOT NULL
);

CREATE TABLE cash_out_txs (
    id uuid PRIMARY KEY,
    device_id text NOT NULL,
    to_address text NOT NULL,
    crypto_atoms numeric(30, 0) NOT NULL,
    crypto_code text NOT NULL,
    fiat numeric(14, 5) NOT NULL,
    fiat_code text NOT NULL,
    status status_stage NOT NULL DEFAULT 'notSeen',
    dispense boolean NOT NULL DEFAULT false,
    notified boolean NOT NULL DEFAULT false,
    redeem boolean NOT NULL DEFAULT false,
    phone text,
    error text,
    created timestamptz NOT NULL DEFAULT now(),
    hd_index integer UNIQUE,
    swept boolean NOT NULL DEFAULT false,
    timedout boolean NOT NULL DEFAULT false,
    dispense_confirmed boolean DEFAULT false,
    provisioned_1 integer,
    provisioned_2 integer,
    provisioned_3 integer,
    provisioned_4 integer,
    denomination_1 integer,
    denomination_2 integer,
    denomination_3 integer,
    denomination_4 integer,
    provisioned_recycler_1 integer,
    provisioned_recycler_2 integer,
    provisioned_recycler_3 integer,
    provisioned_recycler_4 integer,
    provisioned_recycler_5 integer,
    provisioned_recycler_6 integer,
    denomination_recycler_1 integer,
    denomination_recycler_2 integer,
    denomination_recycler_3 integer,
    denomination_recycler_4 integer,
    denomination_recycler_5 integer,
    denomination_recycler_6 integer,
    error_code text,
    customer_id uuid DEFAULT '47ac1184-8102-11e7-9079-8f13a7117867'
        REFERENCES customers (id),
    tx_version integer NOT NULL DEFAULT 1,
    published_at timestamptz,
    terms_accepted boolean NOT NULL DEFAULT false,
    commission_percentage numeric(14, 5),
    raw_ticker_price numeric(14, 5),
    layer_2_address text,
    confirmed_at timestamptz,
    tx_customer_photo_at timestamptz,
    tx_customer_photo_path text,
    received_crypto_atoms numeric(30, 0),
    discount smallint,
    discount_source discount_source,
    email text,
    wallet_score smallint
);
