/** One end of a TCP connection. */
export interface Endpoint {
  /** IPv4 dotted quad, or IPv6 in the canonical text form of RFC 5952. */
  readonly address: string;
  readonly port: number;
}

/** The two ends of a TCP connection; the client is the active opener. */
export interface Flow {
  readonly client: Endpoint;
  readonly server: Endpoint;
}

/** Formats an endpoint as `192.0.2.1:443` or `[2001:db8::1]:443`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return `${formatHost(endpoint.address)}:${endpoint.port}`;
}

/** Formats an address as it stands before a port: IPv6 in brackets. */
export function formatHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
