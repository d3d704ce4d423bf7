// Schemas that several routes share.

import { Type, type TSchema } from 'typebox';
import { AssignmentId } from '../../../protocol/messages.js';

/**
 * Text that PostgreSQL can store: without NUL and lone surrogates. Its length is in characters, as
 * PostgreSQL counts.
 */
export const boundedText = (maxLength: number, options: object) =>
  Type.String({ pattern: `^[^\\u0000\\uD800-\\uDFFF]{1,${maxLength}}$`, ...options });

export const Email = boundedText(255, {
  description:
    'Identifies the person. Compared character by character, so upper and lower case differ.',
  examples: ['ada@example.com'],
});

export const CrdCommand = Type.String({
  pattern: '^[^\\u0000\\uD800-\\uDFFF]*$',
  description: 'The command that the VM runs.',
  examples: ['start-host --code=4/0AX4XfWh'],
});

export const HostnameParams = Type.Object({
  hostname: Type.String({
    description:
      'Percent-encoded. `.` and `..` are written `~.` and `~..`, because URL parsers remove them.',
    examples: ['vm-1'],
  }),
});

export const AssignmentParams = Type.Object({ assignment_id: AssignmentId });

/** The default number of items of a page. */
export const PAGE_LIMIT = 100;

export const Limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: PAGE_LIMIT,
    description: 'The number of items of a page.',
  }),
);

export const Next = Type.Union([Type.String(), Type.Null()], {
  description: 'The `after` of the next page, which `Link` has too; null on the last page.',
});

/** Describes a response header for the document. */
export const describeHeader = (description: string, example: string) =>
  Type.String({ description, examples: [example] });

export const EtagHeader = describeHeader('The version of the row, for `If-Match`.', '"17"');

export const LinkHeader = describeHeader(
  'The URL of the next page with `rel="next"`; missing on the last page.',
  '<http://127.0.0.1:8080/v1/vms?limit=1&after=1>; rel="next"',
);

export const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);
