-- What an enrolment token may do, and whether a VM that enrolled has shown itself: it is handed out
-- only after its agent has been online.

-- VMs that enrolled before count as seen; later ones have NULL until their agent connects.
ALTER TABLE public.vm_enrolments ADD COLUMN IF NOT EXISTS online_at TIMESTAMPTZ DEFAULT now();
ALTER TABLE public.vm_enrolments ALTER COLUMN online_at DROP DEFAULT;

-- Names the enrolment token, whose VMs are counted.
ALTER TABLE public.vm_enrolments ADD COLUMN IF NOT EXISTS token_id TEXT;
CREATE INDEX IF NOT EXISTS idx_vm_enrolments_token_id ON public.vm_enrolments (token_id);
