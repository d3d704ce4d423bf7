// The gateway's clock, as far as this machine knows it: all ages on the page refer to it.

let skewMs = 0;

/** Sets how far the gateway's clock is ahead of this machine's, in ms; negative if it is behind. */
export function setClockSkew(ms: number): void {
  skewMs = ms;
}

/** Converts a time of this machine's clock to the gateway's, in ms since the epoch. */
export const toGatewayTime = (timeMs: number): number => timeMs + skewMs;

/** Reads the time of the gateway's clock, in ms since the epoch. */
export const readGatewayTime = (): number => toGatewayTime(Date.now());
