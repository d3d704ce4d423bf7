// The schemas of the routes of assignments.

import { Type } from 'typebox';
import { CrdCommand, Email, describeHeader } from './shared.js';
import { describeVm } from './vms.js';

/** The body of a request to assign a VM. */
export const AssignmentBody = Type.Object(
  { email: Email, crd_command: Type.Optional(CrdCommand) },
  {
    title: 'Assignment',
    description: 'The person who gets a VM, and the command that it runs.',
    additionalProperties: false,
    examples: [{ email: 'ada@example.com', crd_command: 'start-host --code=4/0AX4XfWh' }],
  },
);

const AgentOnline = describeHeader(
  'Whether the agent of the VM is online: `true` or `false`.',
  'true',
);

/** Describes the response to an assignment: the row, and whether the VM's agent is online. */
export const describeAssigned = (description: string) =>
  describeVm(description, undefined, { 'Agent-Online': AgentOnline });
