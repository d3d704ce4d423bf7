// What the routes of assignments take and answer.

import { Type } from 'typebox';
import { CrdCommand, Email, describeHeader, EtagHeader } from './shared.js';
import { VmResponse } from './vms.js';

export const AssignmentBody = Type.Object(
  { email: Email, crd_command: Type.Optional(CrdCommand) },
  {
    additionalProperties: false,
    examples: [{ email: 'ada@example.com', crd_command: 'start-host --code=4/0AX4XfWh' }],
  },
);

const AgentOnline = describeHeader(
  '`true` or `false`: whether the agent of the VM is online.',
  'true',
);

/** The row, and whether somebody is there to act on it. */
export const AssignResponse = {
  ...VmResponse,
  headers: { ETag: EtagHeader, 'Agent-Online': AgentOnline },
};
