import { isIPv6 } from 'node:net'

/** An address in one form: `0:0:0:0:0:0:0:1`, as Kafka writes it, and `::1` are the same host. */
export function canonicalHost(host: string): string {
  if (!host.includes(':') || !isIPv6(host)) return host
  return new URL(`http://[${host}]`).hostname
}
