// What the routes of deliveries take and answer.

import { Type } from 'typebox';
import { Delivery, Outcome } from '../../../protocol/presence.js';
import { exampleDelivery, exampleVm } from './examples.js';
import { Limit, nullable, boundedText } from './shared.js';

export const EndBody = Type.Object(
  {
    outcome: Outcome,
    exit_code: Type.Optional(
      Type.Union([Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 }), Type.Null()]),
    ),
    signal: Type.Optional(
      Type.Union([
        boundedText(32, {
          description: 'What ended the command: `SIGTERM`.',
          examples: ['SIGTERM'],
        }),
        Type.Null(),
      ]),
    ),
  },
  { additionalProperties: false, examples: [{ outcome: 'succeeded', exit_code: 0 }] },
);

/** A row of `vm_deliveries`. */
const AnyDelivery = Type.Object({
  ...Delivery.properties,
  hostname: Type.String({ description: 'As it was when the assignment was made.' }),
  signal: nullable(Type.String()),
});

const exampleAnyDelivery = { ...exampleDelivery, hostname: exampleVm.hostname, signal: null };

export const DeliveryResponse = Type.Object(AnyDelivery.properties, {
  description: 'What became of the assignment; its end as it was first reported.',
  examples: [exampleAnyDelivery],
});

export const DeliveriesQuery = Type.Object({ limit: Limit }, { additionalProperties: false });

export const DeliveriesResponse = Type.Object(
  { deliveries: Type.Array(AnyDelivery) },
  {
    description: 'The latest assignments of this VM, the newest first.',
    examples: [{ deliveries: [exampleAnyDelivery] }],
  },
);
