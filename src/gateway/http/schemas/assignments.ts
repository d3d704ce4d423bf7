// The schemas of the routes of assignments.

import { Type } from 'typebox';
import { CrdCommand, Email, describeHeader, EtagHeader } from './shared.js';
import { VmResponse } from './vms.js';

/** The body of a request to assign a VM. */
export const AssignmentBody = Type.Object(
  { email: Email, crd_command: Type.Optional(CrdCommand) },
  {
    additionalProperties: false,
    examples: [{ email: 'ada@example.com', crd_command: 'start-host --code=4/0AX4XfWh' }],
  },
);

const AgentOnline = describeHeader(
  'Whether the agent of the VM is online: `true` or `false`.',
  'true',
);

/** The response to an assignment: the row, and whether the VM's agent is online. */
export const AssignResponse = {
  ...VmResponse,
  headers: { ETag: EtagHeader, 'Agent-Online': AgentOnline },
};
