// The schemas of the route that exchanges the code of a link for a token.

import { Type } from 'typebox';
import { SIGN_IN_CODE } from '../../auth/sign-in-code.js';

const EXAMPLE = 'k3bO2eYl1y9cW4mVb0m0uQ8pZt1S6xJ2d5f7g9h1j3L';

export const SignInBody = Type.Object(
  {
    code: Type.String({
      pattern: SIGN_IN_CODE.source,
      description: 'The code of a link that `lablink-gateway token --link` printed.',
      examples: [EXAMPLE],
    }),
  },
  { title: 'SignInRequest', additionalProperties: false, examples: [{ code: EXAMPLE }] },
);

export const SignInResponse = Type.Object(
  {
    token: Type.String({ description: 'The token that the link was made for.' }),
    expires_at: Type.String({ description: 'When the token expires, in UTC.' }),
  },
  {
    title: 'SignIn',
    description: 'The code was good, and is used up.',
    examples: [{ token: 'eyJhbGciOi…', expires_at: '2026-04-01T09:30:00.000Z' }],
  },
);
