// What the routes of assignments take and answer.

import { Type } from 'typebox';
import { Command, Email, header, Version } from './shared.js';
import { VmAnswer } from './vms.js';

export const AssignmentBody = Type.Object(
  { email: Email, crd_command: Type.Optional(Command) },
  {
    additionalProperties: false,
    examples: [{ email: 'ada@example.com', crd_command: 'start-host --code=4/0AX4XfWh' }],
  },
);

const AgentOnline = header('`true` or `false`: whether the agent of the VM is online.', 'true');

/** The row, and whether somebody is there to act on it. */
export const AssignedAnswer = {
  ...VmAnswer,
  headers: { ETag: Version, 'Agent-Online': AgentOnline },
};
