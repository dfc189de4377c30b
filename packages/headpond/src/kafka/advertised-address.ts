import { ConfigError } from '../config/config-error.ts'

/** What clients are told to connect to. */
export interface AdvertisedAddress {
  readonly host: string
  /** Null: the port that they have connected to. */
  readonly port: number | null
}

const REMEDY = 'Write a host that clients can reach, and its port behind a colon if it is another.'

/**
 * `host`, `host:port`, `[::1]:port`, `::1`. Throws ConfigError.
 *
 * @param place where it stands in the configuration
 */
export function parseAdvertisedAddress(text: string, place: string): AdvertisedAddress {
  const isBareIpv6 = /^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(text)
  const match = isBareIpv6 ? null : /^(?:\[([\da-f:.]+)\]|([^:[\]/\s]+))(?::(\d+))?$/i.exec(text)
  if (match === null && !isBareIpv6) throw new ConfigError(place, 'this is no address', REMEDY)
  const host = match === null ? text : (match[1] ?? match[2])
  const port = match?.[3] === undefined ? null : Number(match[3])
  if (port !== null && (port < 1 || port > 65535)) throw new ConfigError(place, `there is no port ${port}`, REMEDY)
  if (/^(0\.0\.0\.0|::|\*)$/.test(host))
    throw new ConfigError(place, 'nobody can connect to a wildcard address', REMEDY)
  return { host, port }
}
