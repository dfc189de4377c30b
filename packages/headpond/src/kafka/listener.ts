/**
 * The listeners of a broker: where it listens, what is spoken there, and what clients that came in there are told to connect
 * to. Settings have Kafka's names; without any there is one listener, PLAINTEXT, at `kafka-port`.
 */

import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { type AdvertisedAddress, parseAdvertisedAddress } from './advertised-address.ts'

const SECURITY_PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export type SecurityProtocol = (typeof SECURITY_PROTOCOLS)[number]

export interface KafkaListener {
  /** In capital letters, as in `listeners`. */
  readonly name: string
  readonly protocol: SecurityProtocol
  /** Null: clients are told the address that they have used. */
  readonly advertised: AdvertisedAddress | null
}

export interface ListenerPlan extends KafkaListener {
  /** Null: the addresses of `bind`. */
  readonly host: string | null
  /** 0: any free one. Null: that of `kafka-port`. */
  readonly port: number | null
  /** Where it stands in the configuration. */
  readonly place: string
}

/** The one listener that needs no settings. */
export const PLAIN_LISTENER: KafkaListener = { name: 'PLAINTEXT', protocol: 'PLAINTEXT', advertised: null }

export function isEncrypted({ protocol }: KafkaListener): boolean {
  return protocol === 'SSL' || protocol === 'SASL_SSL'
}

export function asksForLogin({ protocol }: KafkaListener): boolean {
  return protocol === 'SASL_PLAINTEXT' || protocol === 'SASL_SSL'
}

const DEFAULT_MAP = 'PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL'
const FORM = 'Write NAME://host:port, with commas between several; without a host it listens on those of bind.'

/** Throws ConfigError. */
export function listenerPlans(config: Config): ListenerPlan[] {
  const { kafka } = config
  const text = kafka.get('listeners')?.trim() ?? ''
  const advertised = advertisedListeners(config)
  const common = config.settings.kafkaAdvertisedHost
  const commonAddress = common === '' ? null : parseAdvertisedAddress(common, `kafka-advertised-host ${common}`)
  if (text === '') {
    const only = commonAddress ?? advertised.get('PLAINTEXT') ?? [...advertised.values()][0] ?? null
    return [{ ...PLAIN_LISTENER, advertised: only, host: null, port: null, place: 'kafka-port' }]
  }
  const place = `kafka.listeners ${text}`
  const ofControllers = names(kafka.get('controller.listener.names') ?? '')
  const plans = text
    .split(',')
    .map((each) => parseListener(each.trim(), place))
    .filter(({ name }) => !ofControllers.includes(name))
    .map(({ name, host, port }, index) => ({
      name,
      host,
      port,
      place,
      protocol: protocolOf(name, config),
      advertised:
        advertised.get(name) ?? (commonAddress && index > 0 ? { ...commonAddress, port: null } : commonAddress),
    }))
  if (plans.length === 0) throw new ConfigError(place, 'there is no listener for clients in it', FORM)
  refuseRepetitions(plans, place)
  for (const name of advertised.keys()) {
    if (ofControllers.includes(name) || plans.some((plan) => plan.name === name)) continue
    const known = plans.map((plan) => plan.name).join(',')
    throw new ConfigError(
      `kafka.advertised.listeners ${kafka.get('advertised.listeners')}`,
      `${name} is no listener: there is ${known}`,
      'Advertise addresses of listeners that kafka.listeners names.',
    )
  }
  return plans
}

interface ParsedListener {
  readonly name: string
  readonly host: string | null
  readonly port: number
}

function parseListener(text: string, place: string): ParsedListener {
  const match = /^([\w.-]+):\/\/(?:\[([\da-f:.]+)\]|([^:[\]/\s]*)):(\d{1,5})$/i.exec(text)
  if (match === null) throw new ConfigError(place, `'${text}' is no listener`, FORM)
  const port = Number(match[4])
  if (port > 65535) throw new ConfigError(place, `there is no port ${port}`, FORM)
  const host = match[2] ?? match[3]
  return { name: match[1].toUpperCase(), host: host === '' ? null : host, port }
}

function refuseRepetitions(plans: readonly ListenerPlan[], place: string): void {
  for (const [index, { name, host, port }] of plans.entries()) {
    for (const other of plans.slice(0, index)) {
      if (other.name === name) throw new ConfigError(place, `there are two listeners ${name}`, 'Each has a name.')
      if (other.port !== port || port === 0) continue
      if (other.host !== null && host !== null && other.host !== host) continue
      throw new ConfigError(
        place,
        `${other.name} and ${name} have the same port`,
        'Each listener needs one of its own.',
      )
    }
  }
}

/** What `listener.security.protocol.map` says of a listener. */
function protocolOf(listener: string, { kafka }: Config): SecurityProtocol {
  const text = kafka.get('listener.security.protocol.map') ?? DEFAULT_MAP
  const place = `kafka.listener.security.protocol.map ${text}`
  for (const pair of text.split(',')) {
    const [name = '', protocol = ''] = pair.split(':').map((each) => each.trim().toUpperCase())
    if (name !== listener) continue
    const found = SECURITY_PROTOCOLS.find((each) => each === protocol)
    if (found !== undefined) return found
    const remedy = `Write one of ${SECURITY_PROTOCOLS.join(', ')}.`
    throw new ConfigError(place, `there is no security protocol ${protocol}`, remedy)
  }
  const remedy = `Add it: kafka.listener.security.protocol.map ${listener}:SASL_SSL,...`
  throw new ConfigError(place, `No security protocol defined for listener ${listener}`, remedy)
}

/** By the names of listeners. */
function advertisedListeners({ kafka }: Config): Map<string, AdvertisedAddress> {
  const text = kafka.get('advertised.listeners')?.trim() ?? ''
  if (text === '') return new Map()
  const place = `kafka.advertised.listeners ${text}`
  return new Map(
    text.split(',').map((each) => {
      const match = /^([\w.-]+):\/\/(.+)$/.exec(each.trim())
      if (match === null) throw new ConfigError(place, 'there is no listener in it', 'Write PLAINTEXT://host:port.')
      return [match[1].toUpperCase(), parseAdvertisedAddress(match[2], place)]
    }),
  )
}

function names(list: string): string[] {
  return list.split(',').map((each) => each.trim().toUpperCase())
}
