// What the routes of enrolments take and answer.

import { Type } from 'typebox';
import { boundedText } from './shared.js';

export const EnrolmentBody = Type.Object(
  {
    hostname: boundedText(255, {
      description: 'Of the VM; its agent will be called so.',
      examples: ['vm-1'],
    }),
    nonce: Type.Optional(
      Type.String({
        pattern: '^[\\x21-\\x7e]{22,128}$',
        description:
          'Chosen at random, kept by the VM, told to nobody else: with it, and with nothing else, the hostname may ask again.',
        examples: ['pSx7Vd1tTj2nCz8dQ0uY5w'],
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ hostname: 'vm-1', nonce: 'pSx7Vd1tTj2nCz8dQ0uY5w' }],
  },
);

export const EnrolmentResponse = Type.Object(
  {
    hostname: Type.String(),
    token: Type.String({ description: "Of the hostname's agent." }),
    expires_at: Type.String({ description: 'When the token ends, in UTC.' }),
  },
  {
    description: "The VM is known, and this is its agent's token.",
    examples: [{ hostname: 'vm-1', token: 'eyJhbGciOi…', expires_at: '2026-04-01T09:30:00.000Z' }],
  },
);
