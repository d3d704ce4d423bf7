// An AsyncAPI document as tests read it: references followed, messages found by what is done with
// them.

export interface Reference {
  readonly $ref: string;
}

export interface Document {
  readonly channels: Record<string, { address: string; messages: Record<string, Reference> }>;
  readonly operations: Record<string, { action: string; messages: Reference[] }>;
  readonly components: { schemas: Record<string, object>; messages: Record<string, object> };
  readonly 'x-close-codes': unknown;
}

export interface Message {
  /** The value of the message's `type`. */
  readonly type: string;
  readonly summary: string;
  /** Where its schema is. */
  readonly schema: string;
}

/** Resolves a reference, through others if need be. */
export function deref(document: Document, $ref: string): unknown {
  let found: unknown = document;
  for (const step of $ref.split('/').slice(1)) {
    found = (found as Record<string, unknown> | undefined)?.[step];
    if (isReference(found)) found = deref(document, found.$ref);
  }
  return found;
}

/** The messages of an operation. */
export function listMessages(document: Document, operation: string): Message[] {
  const { messages } = document.operations[operation] ?? { messages: [] };
  return messages.map(({ $ref }) => {
    const message = deref(document, $ref) as { summary: string; payload: Reference };
    const schema = deref(document, message.payload.$ref);
    const { type } = (schema as { properties: { type: { const: string } } }).properties;
    return { type: type.const, summary: message.summary, schema: message.payload.$ref };
  });
}

function isReference(value: unknown): value is Reference {
  return typeof value === 'object' && value !== null && '$ref' in value;
}
