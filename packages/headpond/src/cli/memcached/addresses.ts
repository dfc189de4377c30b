import { lookup } from 'node:dns/promises'
import type { MemcachedAddress } from '../../server/listeners.ts'
import { exitCode, LaunchError, type LaunchPlan } from './launch-plan.ts'

/** Where `-l` and `-p` say to listen. Every address of a name counts. Rejects with LaunchError. */
export async function addressesOf(plan: LaunchPlan): Promise<MemcachedAddress[]> {
  if (plan.unixSocket !== '') return []
  const isEncrypted = plan.isEncrypted
  if (plan.listen.length === 0) {
    if (plan.port === 0) return []
    return EVERYWHERE.map(({ host, isOptional }) => ({ host, port: portOf(plan.port), isEncrypted, isOptional }))
  }
  const addresses: MemcachedAddress[] = []
  for (const text of plan.listen) addresses.push(...(await parse(text, plan)))
  return addresses.filter(
    (address, index) =>
      addresses.findIndex((each) => each.host === address.host && each.port === address.port) === index,
  )
}

const EVERYWHERE = [
  { host: '0.0.0.0', isOptional: false },
  // A machine may have no IPv6.
  { host: '::', isOptional: true },
]

function portOf(port: number): number {
  return port === -1 ? 0 : port
}

/** `[notls:]<host>[:<port>]`, a host of IPv6 with a port in brackets. */
async function parse(text: string, plan: LaunchPlan): Promise<MemcachedAddress[]> {
  const refuse = (message: string) => new LaunchError(message, exitCode.SYSTEM)
  let rest = text
  let { isEncrypted } = plan
  if (rest.startsWith('notls')) {
    if (!isEncrypted) throw refuse("'notls' option is valid only when SSL is enabled")
    isEncrypted = false
    rest = rest.slice('notls:'.length)
  }
  if (/^(proto|tag)\[/.test(rest)) throw refuse(`Not supported here: "${text}" (use -B for all listeners)`)
  const match = /^\[([^\]]*)\](?::(.*))?$/.exec(rest) ?? /^([^:]*):([^:]*)$/.exec(rest)
  if (match === null && rest.startsWith('[')) throw refuse(`Invalid IPV6 address: "${rest.slice(1)}"`)
  const [, host = rest, portText] = match ?? []
  if (portText !== undefined && !/^\d+$/.test(portText)) throw refuse(`Invalid port number: "${portText}"`)
  const port = portText === undefined ? portOf(plan.port) : Number(portText)
  if (port > 65535) throw refuse(`Invalid port number: "${portText}"`)
  if (host === '*') return EVERYWHERE.map((each) => ({ ...each, port, isEncrypted }))
  try {
    const found = await lookup(host, { all: true })
    // A name may have addresses that this machine does not: one that works is enough.
    return found.map(({ address }, index) => ({ host: address, port, isEncrypted, isOptional: index > 0 }))
  } catch {
    throw refuse(
      `getaddrinfo(): Name or service not known\nfailed to listen on one of interface(s) ${plan.listen.join(',')}: ${host}`,
    )
  }
}
