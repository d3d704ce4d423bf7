// The schemas of the routes of enrolments.

import { Type } from 'typebox';
import { boundedText } from './shared.js';

/** The body of an enrolment. */
export const EnrolmentBody = Type.Object(
  {
    hostname: boundedText(255, {
      description: 'The hostname of the VM, and the `sub` of its agent.',
      examples: ['vm-1'],
    }),
    nonce: Type.Optional(
      Type.String({
        pattern: '^[\\x21-\\x7e]{22,128}$',
        description: 'A random secret of the VM. Only the same nonce may enrol the hostname again.',
        examples: ['pSx7Vd1tTj2nCz8dQ0uY5w'],
      }),
    ),
  },
  {
    title: 'EnrolmentRequest',
    additionalProperties: false,
    examples: [{ hostname: 'vm-1', nonce: 'pSx7Vd1tTj2nCz8dQ0uY5w' }],
  },
);

export const EnrolmentResponse = Type.Object(
  {
    hostname: Type.String(),
    token: Type.String({ description: "The token of the hostname's agent." }),
    expires_at: Type.String({ description: 'When the token expires, in UTC.' }),
  },
  {
    title: 'Enrolment',
    description: "The VM is registered; the response has its agent's token.",
    examples: [{ hostname: 'vm-1', token: 'eyJhbGciOi…', expires_at: '2026-04-01T09:30:00.000Z' }],
  },
);
