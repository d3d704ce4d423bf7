// Lists the operations of the OpenAPI document for tests.

/** A JSON Schema, as far as the document's routes use it. */
export interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

export interface Media {
  readonly schema: Schema;
  readonly example?: unknown;
}

type Content = Readonly<Record<string, Media>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly headers?: Readonly<Record<string, unknown>>;
        readonly content?: Content;
      }
    >
  >;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface RoutedOperation extends Operation {
  readonly method: string;
  readonly path: string;
}

/** Lists the operations, with each schema in place of its references. */
export function listOperations(document: OpenApi): RoutedOperation[] {
  const { paths } = resolveSchemas(document);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/**
 * Replaces each reference of the paths by its schema, and an intersection by one schema of all
 * members; the last schema that has a member describes it.
 */
export function resolveSchemas(document: OpenApi): OpenApi {
  const { schemas } = document.components;
  const resolve = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(resolve);
    if (typeof node !== 'object' || node === null) return node;
    if ('$ref' in node) {
      const name = String(node.$ref).replace('#/components/schemas/', '');
      if (schemas[name] === undefined) throw new Error(`no schema ${name}`);
      return resolve(schemas[name]);
    }
    const { allOf, ...rest } = Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, resolve(value)]),
    ) as Schema & { readonly allOf?: readonly Schema[] };
    return allOf === undefined ? rest : intersect([...allOf, rest]);
  };
  return { ...document, paths: resolve(document.paths) as OpenApi['paths'] };
}

const intersect = (parts: readonly Schema[]): Schema =>
  parts.reduce((all, part) => ({
    ...all,
    ...part,
    required: [...new Set([...(all.required ?? []), ...(part.required ?? [])])],
    properties: { ...all.properties, ...part.properties },
  }));
