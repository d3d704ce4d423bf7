// What the schemas of several routes are made of.

import { Type, type TSchema } from 'typebox';
import { AssignmentId } from '../../../protocol/messages.js';

/** A text that PostgreSQL can hold: no NUL, no half of a character; its length counted as PostgreSQL does. */
export const boundedText = (maxLength: number, options: object) =>
  Type.String({ pattern: `^[^\\u0000\\uD800-\\uDFFF]{1,${maxLength}}$`, ...options });

export const Email = boundedText(255, {
  description: 'Names the person. Compared character by character: another case is another person.',
  examples: ['ada@example.com'],
});

export const CrdCommand = Type.String({
  pattern: '^[^\\u0000\\uD800-\\uDFFF]*$',
  description: 'What the VM runs.',
  examples: ['start-host --code=4/0AX4XfWh'],
});

export const HostnameParams = Type.Object({
  hostname: Type.String({
    description:
      'Percent-encoded. `.` and `..` are written `~.` and `~..`, because URLs cannot hold them.',
    examples: ['vm-1'],
  }),
});

export const AssignmentParams = Type.Object({ assignment_id: AssignmentId });

/** How many items a page holds unless the request says otherwise. */
export const PAGE_LIMIT = 100;

export const Limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 1000, default: PAGE_LIMIT, description: 'Of a page.' }),
);

export const Next = Type.Union([Type.String(), Type.Null()], {
  description: 'For `after` of the next page, which `Link` names too; null at the end.',
});

/** A header as the document describes it. */
export const describeHeader = (description: string, example: string) =>
  Type.String({ description, examples: [example] });

export const EtagHeader = describeHeader("The row's version, as `If-Match` takes it.", '"17"');

export const LinkHeader = describeHeader(
  'With `rel="next"` the URL of the next page; not at the end.',
  '</v1/vms?limit=1&after=1>; rel="next"',
);

export const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);
