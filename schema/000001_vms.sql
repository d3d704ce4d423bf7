-- The table of VMs and its indexes, as programs that already use it know them. A table that exists
-- is left as it is, with whatever columns it has grown; later migrations only add to it.

CREATE TABLE IF NOT EXISTS public.vms (
  id SERIAL PRIMARY KEY,
  hostname VARCHAR(255) NOT NULL UNIQUE,
  email VARCHAR(255),
  status VARCHAR(50) NOT NULL,
  crd_command TEXT,
  created_at TIMESTAMP DEFAULT NOW(),
  updated_at TIMESTAMP DEFAULT NOW()
);

CREATE INDEX IF NOT EXISTS idx_vms_email ON public.vms (email);
CREATE INDEX IF NOT EXISTS idx_vms_status ON public.vms (status);
CREATE INDEX IF NOT EXISTS idx_vms_status_email ON public.vms (status, email);
