// The schemas of the routes of deliveries.

import { Type } from 'typebox';
import { Delivery, Outcome } from '../../../protocol/presence.js';
import { exampleDelivery, exampleVm } from './examples.js';
import { Limit, nullable, boundedText } from './shared.js';

/** The body of a report that a command has ended. */
export const EndBody = Type.Object(
  {
    outcome: Outcome,
    exit_code: Type.Optional(
      Type.Union([Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 }), Type.Null()]),
    ),
    signal: Type.Optional(
      Type.Union([
        boundedText(32, {
          description: 'The signal that ended the command.',
          examples: ['SIGTERM'],
        }),
        Type.Null(),
      ]),
    ),
  },
  {
    title: 'EndReport',
    additionalProperties: false,
    examples: [{ outcome: 'succeeded', exit_code: 0 }],
  },
);

/** A row of `vm_deliveries`. */
const AnyDelivery = Type.Object(
  {
    ...Delivery.properties,
    hostname: Type.String({ description: 'The hostname when the VM was assigned.' }),
    signal: nullable(Type.String()),
  },
  { title: 'AssignmentDelivery', description: 'A delivery, and its end as first reported.' },
);

const exampleAnyDelivery = { ...exampleDelivery, hostname: exampleVm.hostname, signal: null };

export const DeliveryResponse = {
  description: 'The delivery of the assignment, with its end as first reported.',
  content: { 'application/json': { schema: AnyDelivery, example: exampleAnyDelivery } },
};

export const DeliveriesQuery = Type.Object({ limit: Limit }, { additionalProperties: false });

export const DeliveriesResponse = Type.Object(
  { deliveries: Type.Array(AnyDelivery) },
  {
    title: 'Deliveries',
    description: 'The latest deliveries of this VM, the newest first.',
    examples: [{ deliveries: [exampleAnyDelivery] }],
  },
);
