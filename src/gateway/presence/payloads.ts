// Formats the payloads of the channel `vm_presence`, on which gateways name the hostnames whose
// presence others must read.

/** PostgreSQL refuses a payload of 8,000 bytes or more (NOTIFY). */
const MAX_BYTES = 7_900;

/** Formats payloads as full as allowed, so that thousands of hostnames are a few notifications. */
export function formatPayloads(hostnames: Iterable<string>): string[] {
  const payloads: string[] = [];
  let names: string[] = [];
  let bytes = 0;
  const close = (): void => {
    if (names.length > 0) payloads.push(`{"hostnames":[${names.join(',')}]}`);
    names = [];
    bytes = '{"hostnames":[]}'.length;
  };
  close();
  for (const hostname of hostnames) {
    const name = JSON.stringify(hostname);
    const length = Buffer.byteLength(name) + 1;
    if (bytes + length > MAX_BYTES) close();
    names.push(name);
    bytes += length;
  }
  close();
  return payloads;
}
