// The schemas of the route that changes many VMs with one request.

import { Type, type Static } from 'typebox';
import { boundedText, CrdCommand } from './shared.js';

/** Each VM is a transaction, so that the number bounds how long a request takes. */
export const MAX_BULK_VMS = 500;

const BulkVm = Type.Object(
  {
    hostname: boundedText(255, { examples: ['vm-1'] }),
    version: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The change is made only if the row still has this version.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const BULK_ACTIONS = ['release', 'available', 'failed', 'command', 'delete'] as const;

export const BulkChangeBody = Type.Object(
  {
    action: Type.Enum([...BULK_ACTIONS], {
      description:
        '`release` ends the assignment; a failed VM stays failed. `available` and `failed` set the status. `command` gives a VM in use a new command.',
    }),
    crd_command: Type.Optional(CrdCommand),
    vms: Type.Array(BulkVm, { minItems: 1, maxItems: MAX_BULK_VMS }),
  },
  {
    title: 'BulkChange',
    additionalProperties: false,
    examples: [{ action: 'release', vms: [{ hostname: 'vm-1', version: 17 }] }],
  },
);

export const BulkChangeResponse = Type.Object(
  {
    results: Type.Array(
      Type.Object({
        hostname: Type.String(),
        code: Type.Union([Type.String(), Type.Null()], {
          description: 'Null if the VM was changed, otherwise the code of the problem.',
        }),
        detail: Type.Union([Type.String(), Type.Null()]),
        version: Type.Union([Type.Integer(), Type.Null()], {
          description: 'The version of the row now; null if it was deleted or is not known.',
        }),
      }),
    ),
  },
  {
    title: 'BulkResult',
    description: 'What became of each VM, in the order of the request.',
    examples: [{ results: [{ hostname: 'vm-1', code: null, detail: null, version: 18 }] }],
  },
);
export type BulkResult = Static<typeof BulkChangeResponse>['results'][number];
