-- Two roles and the database. `lablink` owns the schema and the audit, and runs migrations and
-- backups. `lablink_gateway` is the role of gateways, with the rights of grants.sql. Run this once
-- in psql as a superuser, and again to change the passwords:
--
--   OWNER_PASSWORD_FILE=… GATEWAY_PASSWORD_FILE=… psql -X -f roles.sql postgres

\set ON_ERROR_STOP on
\set owner_password `cat "$OWNER_PASSWORD_FILE"`
\set gateway_password `cat "$GATEWAY_PASSWORD_FILE"`

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest('{lablink,lablink_gateway}'::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- Set explicitly, because the hash of md5 is as good as the password.
SET password_encryption = 'scram-sha-256';
ALTER ROLE lablink PASSWORD :'owner_password';
ALTER ROLE lablink_gateway PASSWORD :'gateway_password';
-- Commands of assignments never reach the log as values, whatever the server's settings are.
ALTER ROLE lablink SET log_parameter_max_length = 0;
ALTER ROLE lablink SET log_parameter_max_length_on_error = 0;
ALTER ROLE lablink_gateway SET log_parameter_max_length = 0;
ALTER ROLE lablink_gateway SET log_parameter_max_length_on_error = 0;
-- `db backup --verify` creates a scratch database.
ALTER ROLE lablink CREATEDB;
-- `db connections` and `db doctor` see the sessions of the gateways' role too.
GRANT pg_read_all_stats TO lablink;

SELECT 'CREATE DATABASE lablink_db'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'lablink_db') \gexec
ALTER DATABASE lablink_db OWNER TO lablink;
-- A role that may connect can LISTEN, and so read commands, and NOTIFY, and so forge rows.
REVOKE ALL ON DATABASE lablink_db FROM PUBLIC;
GRANT CONNECT ON DATABASE lablink_db TO lablink_gateway;

\connect lablink_db
-- Before PostgreSQL 15 every role could create tables in this schema. The REVOKE on the database
-- above also took TEMPORARY from PUBLIC, because only the owner needs temporary tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO lablink;
