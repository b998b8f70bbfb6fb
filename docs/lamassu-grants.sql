-- The read-only role that Satoshi Machine Admin needs on a Lamassu server.
-- Run it once, in Lamassu's database, as a PostgreSQL superuser, after replacing the
-- password:   sudo -u postgres psql -d lamassu -f lamassu-grants.sql
-- Run it again after an upgrade of Lamassu: it then adds the grant for new columns.
-- It changes nothing of Lamassu itself; the role owns nothing and can write nothing.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'satmachine_reader') THEN
        CREATE ROLE satmachine_reader LOGIN PASSWORD 'change-me';
    END IF;
    -- The database this script runs in, whatever it is called.
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO satmachine_reader', current_database());
END
$$;

ALTER ROLE satmachine_reader CONNECTION LIMIT 5;
ALTER ROLE satmachine_reader SET default_transaction_read_only = on;
ALTER ROLE satmachine_reader SET timezone = 'UTC';
ALTER ROLE satmachine_reader SET statement_timeout = '60s';

GRANT USAGE ON SCHEMA public TO satmachine_reader;

-- The sales: amounts, states and times. No address, phone, e-mail or photo.
GRANT SELECT (
    id, device_id, customer_id, crypto_code, crypto_atoms, received_crypto_atoms,
    fiat, fiat_code, status, dispense, dispense_confirmed, error, error_code,
    commission_percentage, discount, raw_ticker_price, created, confirmed_at
) ON public.cash_out_txs TO satmachine_reader;

-- The names of the machines.
GRANT SELECT (device_id, name) ON public.devices TO satmachine_reader;
GRANT SELECT (device_id, name, paired, unpaired)
    ON public.unpaired_devices TO satmachine_reader;

-- Only to tell test customers apart. Without it that check is skipped, and the page says so.
GRANT SELECT (id, is_test_customer) ON public.customers TO satmachine_reader;

-- The fixed fee exists since Lamassu 10.1.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'public.cash_out_txs'::regclass
          AND attname = 'fixed_fee' AND NOT attisdropped
    ) THEN
        GRANT SELECT (fixed_fee) ON public.cash_out_txs TO satmachine_reader;
    END IF;
END
$$;

-- PostgreSQL 14 and older let every role create tables in schema public. The role is
-- read-only anyway; to close it for all, run:
--     REVOKE CREATE ON SCHEMA public FROM PUBLIC;
