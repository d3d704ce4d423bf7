// The database as programs that came before know it, statement by statement: what migrations find,
// and what people go on typing.

import type { Session } from './session.js';

const TABLE = `
CREATE TABLE vms (
  id SERIAL PRIMARY KEY,
  hostname VARCHAR(255) NOT NULL UNIQUE,
  email VARCHAR(255),
  status VARCHAR(50) NOT NULL,
  crd_command TEXT,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);`;

const FUNCTION = `
CREATE OR REPLACE FUNCTION notify_vm_changes()
RETURNS trigger AS $$
BEGIN
  PERFORM pg_notify('vm_updates', row_to_json(NEW)::text);
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;`;

const TRIGGER = `
CREATE TRIGGER vm_update_trigger
AFTER INSERT OR UPDATE ON vms
FOR EACH ROW
EXECUTE FUNCTION notify_vm_changes();`;

const INDEXES = `
-- Index on email for faster lookups
CREATE INDEX idx_vms_email ON vms(email);

-- Index on status
CREATE INDEX idx_vms_status ON vms(status);

-- Composite index
CREATE INDEX idx_vms_status_email ON vms(status, email);`;

const ROWS = `
INSERT INTO vms (hostname, email, status, crd_command, created_at, updated_at) VALUES
  ('i-available', NULL, 'available', NULL, '2025-01-15 10:30:00', '2025-01-15 10:35:00'),
  ('i-0abc123def456', 'user@example.com', 'in-use', 'python train.py', '2025-01-15 10:30:00', '2025-01-15 10:35:00'),
  ('i-in-use-too', 'other@example.com', 'in-use', NULL, NULL, NULL),
  ('i-failed', 'third@example.com', 'failed', 'python train.py', '2025-01-15 10:30:00', NULL),
  ('i-rebooting', NULL, 'rebooting', NULL, NULL, '2025-01-15 10:35:00');`;

/** Makes the table, its trigger, its indexes and some rows. */
export async function createGuideDatabase(session: Session): Promise<void> {
  for (const sql of [TABLE, FUNCTION, TRIGGER, INDEXES, ROWS]) await session.query(sql);
}

/** The guide's statements, each under its title, and their effects on the row i-0abc123def456. */
export const OPERATIONS = {
  'The function': FUNCTION,
  'VM as available': `UPDATE vms
SET status = 'available', email = NULL, crd_command = NULL, updated_at = NOW()
WHERE hostname = 'i-0abc123def456';`,
  'VM as failed': `UPDATE vms
SET status = 'failed', updated_at = NOW()
WHERE hostname = 'i-0abc123def456';`,
  'VM as in use': `UPDATE vms SET status = 'in-use' WHERE id = 2;`,
  'Delete VM record': `DELETE FROM vms WHERE hostname = 'i-0abc123def456';`,
  'Clear all VMs': `TRUNCATE TABLE vms;`,
};
