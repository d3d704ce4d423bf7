// The examples of the OpenAPI document: a VM, the delivery of its assignment, and the presence of
// its agent.

export const exampleVm = {
  id: 1,
  hostname: 'vm-1',
  email: 'ada@example.com',
  status: 'in-use',
  crd_command: 'start-host --code=4/0AX4XfWh',
  created_at: '2026-03-02T09:00:00',
  updated_at: '2026-03-02T09:30:00.123456',
  version: 17,
  assignment_id: '0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a',
};

export const exampleDelivery = {
  assignment_id: exampleVm.assignment_id,
  made_at: '2026-03-02T09:30:00.123456Z',
  pushed_at: '2026-03-02T09:30:00.125000Z',
  acked_at: '2026-03-02T09:30:00.131000Z',
  ended_at: '2026-03-02T09:30:04.500000Z',
  outcome: 'succeeded',
  exit_code: 0,
};

export const examplePresence = {
  hostname: exampleVm.hostname,
  online: true,
  since: '2026-03-02T09:00:07.250000Z',
  duplicate: false,
  acked_assignment_id: exampleVm.assignment_id,
  delivery: exampleDelivery,
};
