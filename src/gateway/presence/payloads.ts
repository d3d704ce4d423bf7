// What gateways tell each other on the channel `vm_presence`: hostnames whose presence is to be read.

/** PostgreSQL refuses a payload of 8,000 bytes (NOTIFY). */
const MAX_BYTES = 7_900;

/** The payloads, each as full as it may be, so that thousands of hostnames are a few notifications. */
export function payloadsOf(hostnames: Iterable<string>): string[] {
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
