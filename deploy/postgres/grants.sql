-- Rights for a gateway with MIGRATE=check, and no more: the role owns no table and cannot change
-- the audit. Run it as the owner after each migration:
--
--   lablink-gateway db migrate && lablink-gateway db sql -- "$(cat grants.sql)"

GRANT USAGE ON SCHEMA public TO lablink_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON vms TO lablink_gateway;
-- Deliveries, presence and enrolments of agents.
GRANT SELECT, INSERT, UPDATE, DELETE ON vm_deliveries, vm_presence, gateways TO lablink_gateway;
GRANT EXECUTE ON FUNCTION prune_vm_presence, prune_vm_deliveries TO lablink_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON vm_enrolments TO lablink_gateway;
-- Without the list of revoked tokens a gateway accepts no token.
GRANT SELECT, INSERT, UPDATE, DELETE ON vm_token_revocations TO lablink_gateway;
GRANT SELECT, INSERT, DELETE ON vm_sign_in_codes TO lablink_gateway;
-- The key that authenticates assignments: without it a gateway reads each row before it pushes a
-- command.
GRANT SELECT (key) ON vm_keys TO lablink_gateway;
GRANT SELECT ON vm_events TO lablink_gateway;
GRANT USAGE ON SEQUENCE vms_id_seq TO lablink_gateway;
GRANT SELECT ON SEQUENCE vms_version_seq TO lablink_gateway;
GRANT SELECT ON lablink_migrations TO lablink_gateway;
